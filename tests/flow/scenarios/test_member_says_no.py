"""Whatever keeps an object from where its policy wants it is told: a condition, an Event, a reason and a way out."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Sequence

import pytest
from tests.support.objects import (
    CONFIG_MAPS,
    config_map,
    crd,
    metadata,
    override_policy,
    policy,
    secret,
    selects,
)
from tests.support.rig import RealRig, Rig

from hansa.api import names, scheme
from hansa.api.meta import Resource
from hansa.base.names import work_name

CRDS = scheme.CRDS
QUOTAS = Resource("", "v1", "resourcequotas", "ResourceQuota", True)
WEBHOOKS = Resource(
    "admissionregistration.k8s.io", "v1", "validatingwebhookconfigurations", "ValidatingWebhookConfiguration", False
)


async def refused(rig: Rig, member: str, kind: str, name: str, *reasons: str) -> None:
    """Work, binding and Events say why; the other members have the object."""
    work = work_name(rig.namespace, name, kind)
    binding = f"{name}-{kind.lower()}"

    async def told() -> None:
        live = await rig.get("hub", scheme.WORKS, work, f"karmada-es-{member}")
        assert live is not None
        (applied,) = [one for one in live["status"]["conditions"] if one["type"] == "Applied"]
        assert applied["status"] == "False" and applied["reason"] == "AppliedFailed"
        assert applied["message"].startswith("Failed to apply all manifests (0/1): ")
        owner = await rig.get("hub", scheme.RESOURCE_BINDINGS, binding, rig.namespace)
        assert owner is not None
        (item,) = [one for one in owner["status"]["aggregatedStatus"] if one["clusterName"] == member]
        assert not item.get("applied")
        (fully,) = [one for one in owner["status"]["conditions"] if one["type"] == "FullyApplied"]
        assert fully["status"] == "False"
        for reason in reasons:
            assert reason in applied["message"], applied["message"]
            assert reason in item["appliedMessage"]

    await rig.eventually(told)
    for subject, namespace in ((work, f"karmada-es-{member}"), (name, rig.namespace)):
        event = await rig.event("SyncFailed", subject, namespace)
        assert event["type"] == "Warning"
        for reason in reasons:
            assert reason in event["message"]


async def others(rig: Rig, resource: Resource, name: str, members: Sequence[str]) -> None:
    await rig.reaches(members, resource, name, rig.namespace)


@contextlib.asynccontextmanager
async def no_admission(rig: Rig, member: str) -> AsyncGenerator[None]:
    """A member whose admission webhook for ConfigMaps of this scenario nobody answers."""
    name = rig.name("gate")
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE"], "resources": ["configmaps"]}
    hook = {
        "name": "gate.example.io",
        "admissionReviewVersions": ["v1"],
        "sideEffects": "None",
        "failurePolicy": "Fail",
        "timeoutSeconds": 1,
        "clientConfig": {"url": "https://127.0.0.1:1/gate"},
        "rules": [rule],
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": rig.namespace}},
    }
    document = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": metadata(name),
        "webhooks": [hook],
    }
    await rig.apply(document, server=member)
    try:
        yield
    finally:
        await rig.delete(WEBHOOKS, name, server=member)


async def test_admission_in_a_member(rig: Rig) -> None:
    template = config_map("web", rig.namespace)
    async with no_admission(rig, "member2"):
        await rig.apply(template, policy("p", rig.namespace, [selects(template)]))
        await refused(rig, "member2", "ConfigMap", "web", "gate.example.io")
        await others(rig, CONFIG_MAPS, "web", ["member1", "member3"])
    await others(rig, CONFIG_MAPS, "web", rig.members)


async def test_a_quota_in_a_member(rig: Rig) -> None:
    if not isinstance(rig, RealRig):
        pytest.skip("embedded servers store quotas and do not enforce them")
    quota = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": metadata("none", rig.namespace),
        "spec": {"hard": {"count/secrets": "0"}},
    }
    await rig.apply(quota, server="member2")

    async def counted() -> None:
        live = await rig.get("member2", QUOTAS, "none", rig.namespace)
        assert live is not None and live["status"]["hard"] == {"count/secrets": "0"}

    await rig.eventually(counted)
    template = secret("keys", rig.namespace)
    await rig.apply(template, policy("p", rig.namespace, [selects(template)]))
    await refused(rig, "member2", "Secret", "keys", "exceeded quota: none, requested: count/secrets=1")
    await others(rig, scheme.SECRETS, "keys", ["member1", "member3"])
    await rig.delete(QUOTAS, "none", rig.namespace, server="member2")
    await others(rig, scheme.SECRETS, "keys", rig.members)


async def test_a_field_that_a_member_does_not_let_change(rig: Rig) -> None:
    template = config_map("web", rig.namespace)
    await rig.apply(template, policy("p", rig.namespace, [selects(template)]))
    await others(rig, CONFIG_MAPS, "web", rig.members)
    await rig.patch(CONFIG_MAPS, "web", {"immutable": True}, rig.namespace, server="member2")
    await rig.patch(CONFIG_MAPS, "web", {"data": {"user": "edited"}}, rig.namespace)
    await refused(rig, "member2", "ConfigMap", "web", "field is immutable when `immutable` is set")

    async def edited() -> None:
        for member in ("member1", "member3"):
            live = await rig.get(member, CONFIG_MAPS, "web", rig.namespace)
            assert live is not None and live["data"] == {"user": "edited"}

    await rig.eventually(edited)


async def fits_nowhere(rig: Rig, name: str, why: str) -> None:
    async def told() -> None:
        binding = await rig.binding(name)
        (scheduled,) = [one for one in binding["status"]["conditions"] if one["type"] == "Scheduled"]
        assert (scheduled["status"], scheduled["reason"]) == ("False", "NoClusterFit")
        assert why in scheduled["message"]

    await rig.eventually(told)


async def test_a_kind_that_a_member_does_not_know(rig: Rig) -> None:
    group = f"{rig.name('sea')}.example.io"
    boats = Resource(group, "v1alpha1", "boats", "Boat", True)
    definition = crd(group, "Boat", "boats")
    await rig.apply(definition)
    template = {"apiVersion": f"{group}/v1alpha1", "kind": "Boat", "metadata": metadata("ketch", rig.namespace)}
    await rig.apply(template, policy("p", rig.namespace, [selects(template)], clusters=["member2"]))
    await fits_nowhere(rig, "ketch-boat", "did not have the API resource")
    await rig.apply(definition, server="member2")
    await rig.reaches(["member2"], boats, "ketch", rig.namespace)


async def test_an_object_of_that_name_that_belongs_to_somebody_else(rig: Rig) -> None:
    template = config_map("web", rig.namespace)
    await rig.apply(config_map("web", rig.namespace, {"whose": "mine"}), server="member2")
    await rig.apply(template, policy("p", rig.namespace, [selects(template)]))
    await refused(
        rig, "member2", "ConfigMap", "web", "already exists in the cluster member2", "set conflictResolution: Overwrite"
    )
    live = await rig.get("member2", CONFIG_MAPS, "web", rig.namespace)
    assert live is not None and live["data"] == {"whose": "mine"}


async def test_no_cluster_fits(rig: Rig) -> None:
    template = config_map("web", rig.namespace)
    where = {"clusterAffinity": {"labelSelector": {"matchLabels": {"nowhere": "yes"}}}}
    await rig.apply(template, policy("p", rig.namespace, [selects(template)], placement=where))
    await fits_nowhere(rig, "web-configmap", "did not match the placement cluster affinity constraint")
    for subject in ("web", "web-configmap"):
        event = await rig.event("ScheduleBindingFailed", subject, rig.namespace)
        assert event["type"] == "Warning"


async def test_an_override_with_a_bad_path(rig: Rig) -> None:
    template = config_map("web", rig.namespace)
    rule = {"overriders": {"plaintext": [{"path": "/data/a/b", "operator": "replace", "value": "x"}]}}
    own = override_policy("o", rig.namespace, [selects(template)], [rule])
    await rig.apply(own, template, policy("p", rig.namespace, [selects(template)]))
    for subject in ("web", "web-configmap"):
        event = await rig.event("SyncWorkFailed", subject, rig.namespace)
        assert "/data/a/b" in event["message"], event["message"]


async def test_a_policy_for_a_kind_that_nobody_serves(rig: Rig) -> None:
    selector = {"apiVersion": "example.io/v1", "kind": "Unicorn"}
    await rig.apply(policy("p", rig.namespace, [selector]))
    event = await rig.event("UnknownKind", "p", rig.namespace)
    assert event["type"] == "Warning"
    assert (
        "spec.resourceSelectors[0]" in event["message"] and "install its CustomResourceDefinition" in event["message"]
    )


async def test_what_is_broken_hurts_itself_alone(rig: Rig) -> None:
    sound = config_map("sound", rig.namespace)
    async with no_admission(rig, "member2"):
        broken = config_map("broken", rig.namespace, annotations={names.CONFLICT_RESOLUTION_ANNOTATION: "abort"})
        await rig.apply(broken, policy("p", rig.namespace, [selects(broken), selects(sound)]))
        await refused(rig, "member2", "ConfigMap", "broken", "gate.example.io")
    await rig.apply(sound)
    await others(rig, CONFIG_MAPS, "sound", rig.members)
