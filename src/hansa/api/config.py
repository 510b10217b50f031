"""config.karmada.io/v1alpha1: what a kind means, told by scripts or by webhooks."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from hansa.api.core import Int32
from hansa.api.meta import Object, Wire


class CustomizationTarget(Wire, frozen=True, kw_only=True):
    """The kind that the scripts are for; no wildcards."""

    api_version: str
    kind: str


class LuaScript(Wire, frozen=True, kw_only=True):
    """A script in Lua."""

    lua_script: str


class CustomizationRules(Wire, frozen=True, kw_only=True):
    """One script for each question; what is not given is answered by others.

    retention: Retain(desiredObj, observedObj): what the member's own fields are.
    replica_resource: GetReplicas(desiredObj): how many replicas, and what each needs.
    component_resource: GetComponents(desiredObj): pod templates with their replicas.
    replica_revision: ReviseReplica(desiredObj, desiredReplica): the object with other replicas.
    status_reflection: ReflectStatus(observedObj): what of the status is collected.
    status_aggregation: AggregateStatus(desiredObj, statusItems): the template with the status of all clusters.
    health_interpretation: InterpretHealth(observedObj): whether it is healthy.
    dependency_interpretation: GetDependencies(desiredObj): what it refers to.
    """

    retention: LuaScript | None = None
    replica_resource: LuaScript | None = None
    component_resource: LuaScript | None = None
    replica_revision: LuaScript | None = None
    status_reflection: LuaScript | None = None
    status_aggregation: LuaScript | None = None
    health_interpretation: LuaScript | None = None
    dependency_interpretation: LuaScript | None = None


class ResourceInterpreterCustomizationSpec(Wire, frozen=True, kw_only=True):
    """Scripts for one kind."""

    target: CustomizationTarget
    customizations: CustomizationRules


class ResourceInterpreterCustomization(Object, frozen=True, kw_only=True):
    """Scripts that tell what one kind means."""

    spec: ResourceInterpreterCustomizationSpec


class ServiceReference(Wire, frozen=True, kw_only=True):
    """A Service to call.

    port: Not set: 443.
    """

    namespace: str
    name: str
    path: str | None = None
    port: Int32 | None = None


class WebhookClientConfig(Wire, frozen=True, kw_only=True):
    """Whom to call: a URL or a Service.

    ca_bundle: PEM; empty: the system's certificates.
    """

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
    """What a webhook is asked; `*` stands for all."""

    operations: list[InterpreterOperation]
    api_groups: list[str]
    api_versions: list[str]
    kinds: list[str]


class ResourceInterpreterWebhook(Wire, frozen=True, kw_only=True):
    """A webhook, and what it is asked.

    name: A full domain name, unique in the object.
    interpreter_context_versions: Versions of the question that it understands.
    timeout_seconds: 1 to 30.
    """

    name: str
    client_config: WebhookClientConfig
    interpreter_context_versions: list[str]
    rules: list[RuleWithOperations] | None = None
    timeout_seconds: Int32 | None = None


class ResourceInterpreterWebhookConfiguration(Object, frozen=True, kw_only=True):
    """Webhooks that tell what kinds mean."""

    webhooks: list[ResourceInterpreterWebhook]
