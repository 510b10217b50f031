"""Judges what the control plane writes, by what users asked for. Knows nothing of how the control plane decides.

The rules are those that the control plane promises (docs/safety.md): deletes need proof, failures take nothing away,
users' fields stay theirs, nothing is written without a change, what is broken hurts itself alone, secrets stay secret.
"""

from __future__ import annotations

import json
import random
import re
from dataclasses import dataclass, field

from tests.laws.histories.shapes import BY_KIND, SHAPES
from tests.support.federation import Tap

from hansa.api.meta import Key
from hansa.apiserver.embedded import Embedded
from hansa.kube.errors import Unreachable
from hansa.kube.transport import Answer

MANAGED = "karmada.io/managed"
_OBJECT = re.compile(r"^/(?:api|apis/([^/]+))/[^/]+(?:/namespaces/([^/]+))?/([^/]+)/([^/?]+)$")
_BUCKETS = frozenset(shape.bucket for shape in SHAPES)
_SYSTEM = ("hansa-system", "karmada-cluster")
_WORK = re.compile(r"^/apis/work\.karmada\.io/v1alpha1/namespaces/karmada-es-([^/]+)/works/([^/?]+)$")
_TEMPLATE_WRITES = ("PUT", "DELETE")

Place = tuple[str, str, str, str]
"""(server, resource with its group, namespace, name)"""


class Violation(AssertionError):
    """A rule was broken; the message begins with its name."""


@dataclass
class Oracle(Tap):
    """`fault_rate` is how many of the control plane's requests fail; half of those after they have been carried out."""

    chance: random.Random
    servers: dict[str, Embedded] = field(default_factory=dict[str, Embedded])
    fault_rate: float = 0.0
    may_end: set[Place] = field(default_factory=set[Place])
    """What somebody asked to be gone since everything last was as it should be."""
    preserved: set[Place] = field(default_factory=set[Place])
    """What somebody asked to stay when it was let go of."""
    violations: list[str] = field(default_factory=list[str])

    # -- what the control plane does ----------------------------------------------------------------------------------

    def before(self, server: str, method: str, path: str, body: bytes) -> Answer | None:
        if method != "GET" and "/events" not in path:
            self._judge(server, method, path, body)
        if self.chance.random() >= self.fault_rate / 2:
            return None
        code = self.chance.choice((0, 429, 500))
        if code == 0:
            raise Unreachable(server, "lost before the server acted")
        status = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "message": "a bad time"}
        return Answer(code, {}, json.dumps(status).encode())

    def after(self, server: str, method: str, path: str) -> None:
        if self.chance.random() < self.fault_rate / 2:
            raise Unreachable(server, "lost after the server acted")

    def _judge(self, server: str, method: str, path: str, body: bytes) -> None:
        place = _place(server, path)
        if server == "hub":
            self._judge_hub(method, path, place, body)
        elif place is not None:
            self._judge_member(place, method, body)

    def _judge_hub(self, method: str, path: str, place: Place | None, body: bytes) -> None:
        if place is not None and place[2] not in _SYSTEM:
            patch = json.loads(body or b"{}")
            if method in _TEMPLATE_WRITES:
                self._broken("one writer per field", f"{method} of the template {path}")
            elif "resourceVersion" not in (patch.get("metadata") or {}):
                self._broken("one writer per field", f"{method} of the template {path} without a precondition")
        work = _WORK.match(path)
        if work is not None and method == "DELETE":
            self._judge_work(work[1], work[2])

    def _judge_work(self, member: str, name: str) -> None:
        """The end of a Work is the end of the object."""
        bucket = self.servers["hub"].context.storage.bucket("works.work.karmada.io")
        entry = bucket.entries.get(Key(f"karmada-es-{member}", name))
        if entry is None:
            return
        manifest = entry.json()["spec"]["workload"]["manifests"][0]
        meta = manifest["metadata"]
        shape = BY_KIND.get(manifest["kind"])
        if shape and (member, shape.bucket, meta.get("namespace") or "", meta["name"]) not in self.may_end:
            self._broken("a failure takes nothing away", f"the Work of {meta['name']} in {member} was deleted")

    def _judge_member(self, place: Place, method: str, body: bytes) -> None:
        member, stored_in, namespace, name = place
        bucket = self.servers[member].context.storage.bucket(stored_in)
        entry = bucket.entries.get(Key(namespace, name))
        if entry is None:
            return
        live = entry.json()
        if (live["metadata"].get("labels") or {}).get(MANAGED) != "true":
            self._broken("a delete needs our marks", f"{method} of {place}, which somebody else made")
        if method == "DELETE" and place not in self.may_end:
            self._broken("a delete needs somebody's will", f"DELETE of {place}, which nobody asked for")
        if method == "DELETE" and place in self.preserved:
            self._broken("a delete needs somebody's will", f"DELETE of {place}, which was to be preserved")
        if method == "PUT" and not json.loads(body)["metadata"].get("resourceVersion"):
            self._broken("one writer per field", f"PUT of {place} without the version seen")

    def _broken(self, rule: str, what: str) -> None:
        self.violations.append(f"{rule}: {what}")

    def check(self) -> None:
        """Raises Violation with the first rule that was broken so far."""
        if self.violations:
            raise Violation(self.violations[0])


def _place(server: str, path: str) -> Place | None:
    """Of one object of a kind that histories are about."""
    found = _OBJECT.match(path)
    if found is None:
        return None
    group, namespace, plural, name = found.groups()
    bucket = f"{plural}.{group}" if group else plural
    return (server, bucket, namespace or "", name) if bucket in _BUCKETS else None
