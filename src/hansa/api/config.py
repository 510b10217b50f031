"""config.karmada.io/v1alpha1: what a kind means, told by scripts or by webhooks."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from hansa.api.core import Int32
from hansa.api.meta import Object, Wire


class CustomizationTarget(Wire, frozen=True, kw_only=True):
    api_version: str
    kind: str


class LuaScript(Wire, frozen=True, kw_only=True):
    lua_script: str


class CustomizationRules(Wire, frozen=True, kw_only=True):
    retention: LuaScript | None = None
    replica_resource: LuaScript | None = None
    component_resource: LuaScript | None = None
    replica_revision: LuaScript | None = None
    status_reflection: LuaScript | None = None
    status_aggregation: LuaScript | None = None
    health_interpretation: LuaScript | None = None
    dependency_interpretation: LuaScript | None = None


class ResourceInterpreterCustomizationSpec(Wire, frozen=True, kw_only=True):
    target: CustomizationTarget
    customizations: CustomizationRules


class ResourceInterpreterCustomization(Object, frozen=True, kw_only=True):
    """Scripts that tell what one kind means."""

    spec: ResourceInterpreterCustomizationSpec


class ServiceReference(Wire, frozen=True, kw_only=True):
    namespace: str
    name: str
    path: str | None = None
    port: Int32 | None = None


class WebhookClientConfig(Wire, frozen=True, kw_only=True):
    url: str | None = None
    service: ServiceReference | None = None
    ca_bundle: Annotated[str, Meta(extra_json_schema={"format": "byte"})] = ""


InterpreterOperation = Literal[
    "*",
    "InterpretReplica",
    "InterpretComponent",
    "InterpretDependency",
    "ReviseReplica",
    "Retain",
    "AggregateStatus",
    "InterpretStatus",
    "InterpretHealth",
]


class RuleWithOperations(Wire, frozen=True, kw_only=True):
    operations: list[InterpreterOperation]
    api_groups: list[str]
    api_versions: list[str]
    kinds: list[str]


class ResourceInterpreterWebhook(Wire, frozen=True, kw_only=True):
    name: str
    client_config: WebhookClientConfig
    interpreter_context_versions: list[str]
    rules: list[RuleWithOperations] | None = None
    timeout_seconds: Int32 | None = None


class ResourceInterpreterWebhookConfiguration(Object, frozen=True, kw_only=True):
    """Webhooks that tell what kinds mean."""

    webhooks: list[ResourceInterpreterWebhook]
