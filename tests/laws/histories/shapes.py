"""The kinds that histories are about: how an object of each carries a value."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.support.objects import CLUSTER_ROLES, CONFIG_MAPS, DEPLOYMENTS, config_map, crd, deployment, metadata, secret

from hansa.api import scheme
from hansa.api.meta import Json, Resource

THINGS_CRD = crd("example.io", "Thing", "things")
THINGS = Resource("example.io", "v1alpha1", "things", "Thing", True)


@dataclass(frozen=True)
class Shape:
    """`make` gives the document with a name, a namespace, a value and a secret; `content` the part that has the value,
    which is a merge patch too."""

    resource: Resource
    make: Callable[[str, str, str, str], Json]
    content: Callable[[Json], Json]

    @property
    def bucket(self) -> str:
        """Under which an embedded server stores it."""
        return self.resource.group_resource


def _secret(name: str, namespace: str, value: str, canary: str) -> Json:
    return secret(name, namespace, {"v": value, "key": canary})


def _config_map(name: str, namespace: str, value: str, canary: str) -> Json:
    return config_map(name, namespace, {"v": value})


def _deployment(name: str, namespace: str, value: str, canary: str) -> Json:
    return deployment(name, namespace, pod={"hostname": f"h{value}"})


def _thing(name: str, namespace: str, value: str, canary: str) -> Json:
    return {
        "apiVersion": THINGS.api_version,
        "kind": THINGS.kind,
        "metadata": metadata(name, namespace),
        "spec": {"v": value},
    }


def _cluster_role(name: str, namespace: str, value: str, canary: str) -> Json:
    rule = {"apiGroups": [""], "resources": ["pods"], "verbs": ["get"], "resourceNames": [f"pod-{value}"]}
    return {
        "apiVersion": CLUSTER_ROLES.api_version,
        "kind": CLUSTER_ROLES.kind,
        "metadata": metadata(f"{namespace}-{name}"),
        "rules": [rule],
    }


def _part(*path: str) -> Callable[[Json], Json]:
    def content(document: Json) -> Json:
        found: Any = document
        for name in path:
            found = found[name]
        for name in reversed(path):
            found = {name: found}
        return found

    return content


CONFIG_MAP = Shape(CONFIG_MAPS, _config_map, _part("data"))
SECRET = Shape(scheme.SECRETS, _secret, _part("data"))
DEPLOYMENT = Shape(DEPLOYMENTS, _deployment, _part("spec", "template", "spec", "hostname"))
THING = Shape(THINGS, _thing, _part("spec"))
CLUSTER_ROLE = Shape(CLUSTER_ROLES, _cluster_role, _part("rules"))
SHAPES = (CONFIG_MAP, SECRET, DEPLOYMENT, THING, CLUSTER_ROLE)
BY_KIND = {shape.resource.kind: shape for shape in SHAPES}
