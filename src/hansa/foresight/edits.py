"""What somebody is about to do to a hub: manifests in files, applied or deleted as kubectl would."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import yaml

from hansa.api import builtin
from hansa.api.item import Item
from hansa.api.meta import GVK, Json, Key, Resource
from hansa.api.names import LAST_APPLIED_ANNOTATION
from hansa.api.strategic import apply_patch
from hansa.base.patch import apply_merge_patch
from hansa.kube.client import Client, PatchKind
from hansa.kube.discovery import NoMatch
from hansa.kube.errors import ApiError, ConfigError, NotFound

Action = Literal["created", "configured", "unchanged", "deleted", "not found"]
_SUFFIXES = (".yaml", ".yml", ".json")


class _Plain(yaml.SafeLoader):
    """YAML as kubectl reads it: a timestamp is a text."""


_Plain.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


class Edit(NamedTuple):
    """One object to apply, or to delete."""

    obj: Json
    delete: bool = False

    def __str__(self) -> str:
        metadata: Json = self.obj["metadata"]
        namespace = metadata.get("namespace")
        return f"{self.obj['kind']} {namespace + '/' if namespace else ''}{metadata['name']}"


class Done(NamedTuple):
    """What became of an edit."""

    edit: Edit
    action: Action

    @property
    def about(self) -> tuple[GVK, Key]:
        """The object, as a state of the hub knows it."""
        obj = self.edit.obj
        metadata: Json = obj["metadata"]
        return GVK.of(obj["apiVersion"], obj["kind"]), Key(metadata.get("namespace") or "", metadata["name"])


def read_files(names: Sequence[str]) -> list[Json]:
    """Objects of files, of folders (not recursively), or of stdin (`-`), in their order. Raises ConfigError."""
    found: list[Json] = []
    for name in names:
        for where, text in _texts(name):
            try:
                documents = list(yaml.load_all(text, _Plain))
            except yaml.YAMLError as error:
                raise ConfigError(f"{where}: {error}") from error
            for document in documents:
                found += _objects(document, where)
    if not found:
        raise ConfigError(f"no objects in {', '.join(names)}")
    return found


def _texts(name: str) -> Iterator[tuple[str, str]]:
    if name == "-":
        yield "stdin", sys.stdin.read()
        return
    path = Path(name)
    try:
        files = sorted(f for f in path.iterdir() if f.suffix in _SUFFIXES) if path.is_dir() else [path]
        for file in files:
            yield str(file), file.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{name}: {error}") from error


def _objects(document: Any, where: str) -> Iterable[Json]:
    if document is None:
        return []
    if isinstance(document, dict) and document.get("kind") == "List":
        return [obj for item in document.get("items") or () for obj in _objects(item, where)]
    if not isinstance(document, dict) or not all(isinstance(document.get(m), str) for m in ("apiVersion", "kind")):
        raise ConfigError(f"{where}: no Kubernetes object: apiVersion and kind are needed")
    metadata = document.get("metadata")
    if not isinstance(metadata, dict) or not isinstance(metadata.get("name"), str):
        raise ConfigError(f"{where}: {document['kind']} without metadata.name")
    return [document]


async def carry_out(hub: Client, edit: Edit, namespace: str) -> Done:
    """`namespace` is for objects that name none. Raises ConfigError, in the words in which the hub refuses."""
    try:
        resource = await hub.discovery.resource_for(GVK.of(edit.obj["apiVersion"], edit.obj["kind"]))
        edit = Edit(_placed(edit.obj, resource, namespace), edit.delete)
        action = await (_delete if edit.delete else _apply)(hub, resource, edit.obj)
    except NoMatch as error:
        raise ConfigError(f"{edit}: {error}: install its CustomResourceDefinition first") from error
    except ApiError as error:
        raise ConfigError(f"{edit}: {error.message}") from error
    return Done(edit, action)


def _placed(obj: Json, resource: Resource, namespace: str) -> Json:
    metadata: Json = {key: value for key, value in obj["metadata"].items() if key != "namespace"}
    if resource.namespaced:
        metadata["namespace"] = obj["metadata"].get("namespace") or namespace
    return {**obj, "metadata": metadata}


async def _apply(hub: Client, resource: Resource, obj: Json) -> Action:
    """Client-side apply: a three-way merge with what was applied before, which an annotation remembers."""
    wanted = _remembered(obj)
    metadata: Json = wanted["metadata"]
    name, namespace = metadata["name"], metadata.get("namespace")
    try:
        live = await hub.get(resource, name, namespace)
    except NotFound:
        await hub.create(resource, wanted, namespace)
        return "created"
    last = _last_applied(live)
    schema = builtin.schema_for(resource.gvk)
    if schema is not None:
        patch, kind = apply_patch(last, wanted, schema), PatchKind.STRATEGIC
    else:
        patch, kind = _merge_patch(last, wanted), PatchKind.MERGE
    written = await hub.patch(resource, name, namespace, patch, kind=kind)
    return "unchanged" if written.meta.resource_version == live.meta.resource_version else "configured"


def _merge_patch(last: Json, wanted: Json) -> Json:
    patch: Json = {key: None for key in last if key not in wanted}
    for key, value in wanted.items():
        before = last.get(key)
        inner = before if isinstance(before, dict) else {}
        patch[key] = _merge_patch(inner, value) if isinstance(value, dict) else value
    return patch


def _remembered(obj: Json) -> Json:
    """The object with kubectl's record of itself."""
    metadata: Json = dict(obj["metadata"])
    annotations = {key: v for key, v in (metadata.get("annotations") or {}).items() if key != LAST_APPLIED_ANNOTATION}
    plain: Json = {**obj, "metadata": {**metadata, "annotations": annotations}}
    text = json.dumps(plain, separators=(",", ":"), sort_keys=True, ensure_ascii=False) + "\n"
    return apply_merge_patch(plain, {"metadata": {"annotations": {LAST_APPLIED_ANNOTATION: text}}})


def _last_applied(live: Item) -> Json:
    text = live.annotations.get(LAST_APPLIED_ANNOTATION)
    try:
        last = json.loads(text) if text else {}
    except ValueError:
        last = {}
    return last if isinstance(last, dict) else {}


async def _delete(hub: Client, resource: Resource, obj: Json) -> Action:
    metadata: Json = obj["metadata"]
    try:
        await hub.delete(resource, metadata["name"], metadata.get("namespace"), propagation="Background")
    except NotFound:
        return "not found"
    return "deleted"
