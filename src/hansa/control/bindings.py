"""Bindings of both scopes under one kind of key: without a namespace, a ClusterResourceBinding is meant."""

from __future__ import annotations

from hansa.api import scheme
from hansa.api.item import Item
from hansa.api.meta import Json, Key, Resource
from hansa.api.names import BINDING_NAME_ANNOTATION, BINDING_NAMESPACE_ANNOTATION, CLUSTER_BINDING_NAME_ANNOTATION
from hansa.api.work import BindingSpec


def binding_resource(key: Key) -> Resource:
    return scheme.RESOURCE_BINDINGS if key.namespace else scheme.CLUSTER_RESOURCE_BINDINGS


def binding_of(work: Item) -> Key | None:
    """The binding that a Work says it belongs to; None for Works without one."""
    annotations = work.annotations
    if name := annotations.get(CLUSTER_BINDING_NAME_ANNOTATION):
        return Key("", name)
    name, namespace = annotations.get(BINDING_NAME_ANNOTATION), annotations.get(BINDING_NAMESPACE_ANNOTATION)
    return Key(namespace, name) if name and namespace else None


def template_reference(spec: BindingSpec) -> Json:
    """The template as events refer to it."""
    resource = spec.resource
    return {
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "metadata": {"name": resource.name, "namespace": resource.namespace, "uid": resource.uid},
    }
