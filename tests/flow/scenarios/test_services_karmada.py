"""Karmada's mcs_test.go: ServiceExport and ServiceImport by policies, and MultiClusterService CrossCluster."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from tests.support.objects import deployment, metadata, policy, selects
from tests.support.rig import Rig
from tests.support.services import Services, by_type, export, hello_service, service_import

from hansa.api import names, scheme
from hansa.api.meta import Json
from hansa.kube.errors import Invalid

FIRST, SECOND, THIRD = "member1", "member2", "member3"
RELATIVE = {"pathType": "Exact", "path": "a", "backend": {"service": {"name": "w", "port": {"number": 80}}}}
DERIVED = f"{names.SERVICE_LABEL}=derived-hello"


def service_import_of(rig: Rig, version: str = "v1alpha1") -> Json:
    ports = [{"name": "tcp", "port": 42, "protocol": "TCP"}]
    return service_import(rig.namespace, version=version, type="ClusterSetIP", ports=ports)


def cross_cluster(rig: Rig, providers: Sequence[str] = (), consumers: Sequence[str] = (), **spec: object) -> Json:
    return {
        "apiVersion": "networking.karmada.io/v1alpha1",
        "kind": "MultiClusterService",
        "metadata": metadata("hello", rig.namespace),
        "spec": {
            "types": ["CrossCluster"],
            "providerClusters": [{"name": name} for name in providers],
            "consumerClusters": [{"name": name} for name in consumers],
            **spec,
        },
    }


async def endpoints(rig: Rig, server: str, labels: str) -> list[str]:
    found = await rig.list(server, scheme.ENDPOINT_SLICES, rig.namespace, labels=labels)
    return sorted(a for slice_ in found for each in slice_["endpoints"] or () for a in each["addresses"])


async def by_policies(rig: Rig, version: str) -> Services:
    """Pods and their Service in the first member; export and import by policies of the hub."""
    services = Services(rig)
    await services.served()
    await services.run(FIRST)
    exported = {**export(rig.namespace), "apiVersion": f"multicluster.x-k8s.io/{version}"}
    imported = service_import_of(rig, version)
    await rig.apply(
        exported,
        policy("export", rig.namespace, [selects(exported)], clusters=[FIRST]),
        imported,
        policy("import", rig.namespace, [selects(imported)], clusters=[SECOND]),
    )
    return services


async def test_definitions_by_a_policy_find_those_that_are_there_and_are_used(rig: Rig) -> None:
    """Karmada's guide begins so. Members keep the definitions when the policy goes, and so what was made by them."""
    await Services(rig).served()
    definitions = [scheme.SERVICE_EXPORTS, scheme.SERVICE_IMPORTS]
    named = [f"{each.plural}.{each.group}" for each in definitions]
    name = rig.name("mcs-crds")
    document: Json = {
        "apiVersion": "policy.karmada.io/v1alpha1",
        "kind": "ClusterPropagationPolicy",
        "metadata": {"name": name},
        "spec": {
            "resourceSelectors": [
                {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "name": each}
                for each in named
            ],
            "placement": {"clusterAffinity": {"clusterNames": list(rig.members)}},
            "conflictResolution": "Overwrite",
        },
    }
    await rig.apply(document)

    async def propagated() -> None:
        for each in named:
            binding = f"{each}-customresourcedefinition"
            found = await rig.get("hub", scheme.CLUSTER_RESOURCE_BINDINGS, binding)
            assert found and by_type(found)["FullyApplied"]["status"] == "True", found
            for member in rig.members:
                there = await rig.get(member, scheme.CRDS, each)
                assert there and there["metadata"]["labels"][names.MANAGED_LABEL] == "true"

    await rig.eventually(propagated, 120)
    services = await by_policies(rig, "v1alpha1")

    async def used() -> None:
        pods = await services.pods(FIRST)
        assert pods and await endpoints(rig, SECOND, DERIVED) == pods
        assert await services.imported(THIRD) is None

    await rig.eventually(used, 120)
    await services.told(FIRST, "Ready", "True", "Exported")
    await rig.delete(scheme.CLUSTER_PROPAGATION_POLICIES, name)
    await rig.holds(used, 5)


async def test_who_exports_no_more_has_no_slices_on_the_hub(rig: Rig) -> None:
    services = await by_policies(rig, "v1beta1")
    await rig.eventually(lambda: _reached(rig, services))
    await rig.delete(scheme.SERVICE_EXPORTS, "hello", rig.namespace)

    async def gone() -> None:
        assert not await endpoints(rig, "hub", DERIVED)
        assert not await endpoints(rig, SECOND, DERIVED)

    await rig.eventually(gone)


async def _reached(rig: Rig, services: Services) -> None:
    pods = await services.pods(FIRST)
    assert pods and await endpoints(rig, SECOND, DERIVED) == pods


@pytest.mark.parametrize("version", ["v1alpha1", "v1beta1"])
async def test_an_import_is_propagated_with_its_service_and_slices(rig: Rig, version: str) -> None:
    services = await by_policies(rig, version)
    await rig.event("SyncDerivedServiceSucceed", "hello", rig.namespace, kind="ServiceImport")

    async def there(count: int) -> None:
        pods = await services.pods(FIRST)
        assert len(pods) == count
        assert await endpoints(rig, "hub", DERIVED) == pods
        assert await services.derived(SECOND) is not None
        assert await endpoints(rig, SECOND, DERIVED) == pods
        made = await services.imported(SECOND)
        assert made and made["metadata"]["labels"][names.MANAGED_LABEL] == "true"

    await rig.eventually(lambda: there(1))
    assert await services.imported(THIRD) is None
    await services.told(FIRST, "Ready", "True", "Exported")
    await rig.apply(deployment("hello", rig.namespace, replicas=2), server=FIRST)
    await rig.eventually(lambda: there(2))
    (slice_,) = await rig.list("hub", scheme.ENDPOINT_SLICES, rig.namespace, labels=DERIVED)
    assert slice_["metadata"]["name"].startswith(f"imported-{FIRST}-hello-")
    assert slice_["metadata"]["labels"][names.MANAGED_BY_LABEL] == "endpointslice-controller.karmada.io"


async def test_without_the_import_on_the_hub_its_service_and_slices_go(rig: Rig) -> None:
    services = await by_policies(rig, "v1beta1")

    async def there() -> None:
        assert await services.derived(SECOND) is not None
        assert await endpoints(rig, SECOND, DERIVED)

    await rig.eventually(there)
    await rig.delete(scheme.SERVICE_IMPORTS, "hello", rig.namespace)

    async def ours() -> None:
        """The export is still there: every cluster imports it now."""
        assert await rig.get("hub", scheme.SERVICES, "derived-hello", rig.namespace) is None
        assert not await rig.list("hub", scheme.ENDPOINT_SLICES, rig.namespace, labels=DERIVED)
        for member in rig.members:
            made = await services.imported(member)
            assert made and names.EXPORTED_ANNOTATION in made["metadata"]["annotations"]
            assert await services.derived(member) is not None

    await rig.eventually(ours, 120)


# -- MultiClusterService ----------------------------------------------------------------------------------------------


async def serve(rig: Rig) -> Services:
    """Pods in all members, by a policy; the Service is on the hub alone."""
    pods = deployment("hello", rig.namespace, replicas=1)
    await rig.apply(
        pods,
        policy("pods", rig.namespace, [selects(pods)], clusters=list(rig.members)),
        hello_service(rig.namespace),
    )
    return Services(rig)


async def dispatched(rig: Rig, services: Services, providers: Sequence[str], consumers: Sequence[str]) -> None:
    """Each consumer has the endpoints of every other provider, and nobody has more."""
    found = await rig.get("hub", scheme.MULTI_CLUSTER_SERVICES, "hello", rig.namespace)
    assert found is not None
    for type_ in ("ServiceApplied", "EndpointSliceDispatched"):
        assert by_type(found)[type_]["status"] == "True", found["status"]
    label = f"{names.MANAGED_BY_LABEL}=endpointslice-dispatch-controller.karmada.io"
    for member in rig.members:
        slices = await rig.list(member, scheme.ENDPOINT_SLICES, rig.namespace, labels=label)
        wanted = {name for name in providers if name != member} if member in consumers else set[str]()
        assert {slice_["metadata"]["annotations"][names.PROVISION_CLUSTER_ANNOTATION] for slice_ in slices} == wanted
        for slice_ in slices:
            provider = slice_["metadata"]["annotations"][names.PROVISION_CLUSTER_ANNOTATION]
            assert slice_["metadata"]["name"].startswith(f"{provider}-hello-")
            assert slice_["metadata"]["labels"][names.SERVICE_LABEL] == "hello"
            assert [each["addresses"] for each in slice_["endpoints"]] == [await services.pods(provider)]


@pytest.mark.parametrize(
    ("providers", "consumers"),
    [
        ([FIRST], [SECOND]),
        ([FIRST, SECOND], [SECOND]),
        ([], [SECOND]),
        ([FIRST], []),
        ([], []),
    ],
)
async def test_slices_of_providers_are_attached_in_consumers(
    rig: Rig, providers: list[str], consumers: list[str]
) -> None:
    services = await serve(rig)
    await rig.apply(cross_cluster(rig, providers, consumers))
    who, where = providers or rig.members, consumers or rig.members
    await rig.eventually(lambda: dispatched(rig, services, who, where))
    await rig.event("SyncServiceSucceed", "hello", rig.namespace, kind="MultiClusterService")
    await rig.event("DispatchEndpointSliceSucceed", "hello", rig.namespace, kind="MultiClusterService")
    await rig.reaches(sorted({*who, *where}), scheme.SERVICES, "hello", rig.namespace)
    service = await rig.get("hub", scheme.SERVICES, "hello", rig.namespace)
    assert service and service["metadata"]["labels"][names.CLAIMED_BY_LABEL] == "MultiClusterService"
    binding = await rig.get("hub", scheme.RESOURCE_BINDINGS, "hello-service", rig.namespace)
    assert binding and binding["metadata"]["labels"][names.BINDING_MANAGED_BY_LABEL] == "MultiClusterService"


async def test_providers_and_consumers_change(rig: Rig) -> None:
    services = await serve(rig)
    await rig.apply(cross_cluster(rig, [FIRST], [SECOND]))
    await rig.eventually(lambda: dispatched(rig, services, [FIRST], [SECOND]))
    await rig.apply(cross_cluster(rig, [SECOND], [FIRST]))
    await rig.eventually(lambda: dispatched(rig, services, [SECOND], [FIRST]))
    await rig.apply(cross_cluster(rig, [SECOND, "nobody"], [FIRST]))
    event = await rig.event("ClusterNotFound", "hello", rig.namespace, kind="MultiClusterService")
    assert event["type"] == "Warning" and event["message"] == "Provider cluster nobody is not found"
    await rig.eventually(lambda: dispatched(rig, services, [SECOND], [FIRST]))


async def test_the_deprecated_fields_still_name_clusters(rig: Rig) -> None:
    services = await serve(rig)
    document = cross_cluster(rig, serviceProvisionClusters=[FIRST], serviceConsumptionClusters=[THIRD])
    await rig.apply(document)
    await rig.eventually(lambda: dispatched(rig, services, [FIRST], [THIRD]))


async def test_slices_follow_the_pods_and_come_back(rig: Rig) -> None:
    services = await serve(rig)
    await rig.apply(cross_cluster(rig, [FIRST], [SECOND]))
    await rig.eventually(lambda: dispatched(rig, services, [FIRST], [SECOND]))
    label = f"{names.MANAGED_BY_LABEL}=endpointslice-dispatch-controller.karmada.io"
    (slice_,) = await rig.list(SECOND, scheme.ENDPOINT_SLICES, rig.namespace, labels=label)
    await rig.delete(scheme.ENDPOINT_SLICES, slice_["metadata"]["name"], rig.namespace, server=SECOND)
    await rig.eventually(lambda: dispatched(rig, services, [FIRST], [SECOND]))
    await rig.patch(scheme.DEPLOYMENTS, "hello", {"spec": {"replicas": 2}}, rig.namespace)

    async def two() -> None:
        pods = await services.pods(FIRST)
        assert len(pods) == 2 and await endpoints(rig, SECOND, label) == pods

    await rig.eventually(two)


async def test_deleting_it_lets_the_service_go_and_takes_the_slices(rig: Rig) -> None:
    services = await serve(rig)
    await rig.apply(cross_cluster(rig, [FIRST], [SECOND]))
    await rig.eventually(lambda: dispatched(rig, services, [FIRST], [SECOND]))
    found = await rig.get("hub", scheme.MULTI_CLUSTER_SERVICES, "hello", rig.namespace)
    assert found and names.SERVICE_FINALIZER in found["metadata"]["finalizers"]
    await rig.delete(scheme.MULTI_CLUSTER_SERVICES, "hello", rig.namespace)

    async def gone() -> None:
        assert await rig.get("hub", scheme.MULTI_CLUSTER_SERVICES, "hello", rig.namespace) is None
        label = f"{names.MANAGED_BY_LABEL}=endpointslice-dispatch-controller.karmada.io"
        assert not await rig.list(SECOND, scheme.ENDPOINT_SLICES, rig.namespace, labels=label)
        service = await rig.get("hub", scheme.SERVICES, "hello", rig.namespace)
        assert service and names.CLAIMED_BY_LABEL not in service["metadata"].get("labels", {})
        assert names.SERVICE_NAME_LABEL not in service["metadata"]["annotations"]
        binding = await rig.get("hub", scheme.RESOURCE_BINDINGS, "hello-service", rig.namespace)
        assert binding and names.BINDING_MANAGED_BY_LABEL not in binding["metadata"]["labels"]

    await rig.eventually(gone)
    await rig.reaches([FIRST, SECOND], scheme.SERVICES, "hello", rig.namespace)


async def test_without_its_service_it_says_so(rig: Rig) -> None:
    await rig.apply(cross_cluster(rig, [FIRST], [SECOND]))

    async def told() -> None:
        found = await rig.get("hub", scheme.MULTI_CLUSTER_SERVICES, "hello", rig.namespace)
        assert found is not None
        said = by_type(found)["ServiceApplied"]
        assert (said["status"], said["reason"]) == ("False", "ServiceAppliedFailed")
        assert "hello" in said["message"]

    await rig.eventually(told)
    services = await serve(rig)
    await rig.eventually(lambda: dispatched(rig, services, [FIRST], [SECOND]))


@pytest.mark.parametrize(
    ("spec", "fault"),
    [
        ({"types": ["CrossCluster", "LoadBalancer"]}, "should not contain more than one type"),
        ({"types": ["Sideways"]}, "spec.types[0]"),
        ({"ports": [{"port": 0}]}, "spec.ports[0].port"),
        ({"ports": [{"name": "a", "port": 1}, {"name": "a", "port": 2}]}, "spec.ports[1].name"),
        ({"providerClusters": [{"name": "Not A Name"}]}, "spec.range.providerClusters[0]"),
    ],
)
async def test_what_is_refused(rig: Rig, spec: Json, fault: str) -> None:
    with pytest.raises(Invalid) as refused:
        await rig.hub.create(scheme.MULTI_CLUSTER_SERVICES, cross_cluster(rig, [FIRST], [SECOND], **spec))
    assert fault in refused.value.message


async def test_the_type_stays(rig: Rig) -> None:
    await rig.apply(cross_cluster(rig, [FIRST], [SECOND]))
    with pytest.raises(Invalid) as refused:
        await rig.patch(scheme.MULTI_CLUSTER_SERVICES, "hello", {"spec": {"types": ["LoadBalancer"]}}, rig.namespace)
    assert "types are immutable" in refused.value.message


@pytest.mark.parametrize(
    ("spec", "fault"),
    [
        ({}, "either `defaultBackend` or `rules`"),
        ({"defaultBackend": {"service": {"name": "web"}}}, "spec.defaultBackend.service.port.number"),
        ({"rules": [{"http": {"paths": [RELATIVE]}}]}, "spec.rules[0].http.paths[0].path"),
        ({"rules": [{"host": "Not A Host"}]}, "spec.rules[0].host"),
    ],
)  # fmt: skip
async def test_ingresses_that_no_server_would_take(rig: Rig, spec: Json, fault: str) -> None:
    ingress: Json = {
        "apiVersion": "networking.karmada.io/v1alpha1",
        "kind": "MultiClusterIngress",
        "metadata": metadata("web", rig.namespace),
        "spec": spec,
    }
    with pytest.raises(Invalid) as refused:
        await rig.hub.create(scheme.MULTI_CLUSTER_INGRESSES, ingress)
    assert fault in refused.value.message
    good = {"defaultBackend": {"service": {"name": "web", "port": {"name": "http"}}}}
    await rig.hub.create(scheme.MULTI_CLUSTER_INGRESSES, {**ingress, "spec": good})


def ingress(rig: Rig, *backends: str) -> Json:
    paths = [
        {"pathType": "Prefix", "path": f"/{name}", "backend": {"service": {"name": name, "port": {"number": 42}}}}
        for name in backends
    ]
    return {
        "apiVersion": "networking.karmada.io/v1alpha1",
        "kind": "MultiClusterIngress",
        "metadata": metadata("web", rig.namespace),
        "spec": {"rules": [{"host": "web.example.com", "http": {"paths": paths}}]},
    }


async def test_an_ingress_says_where_its_backends_are_and_their_endpoints_are_on_the_hub(rig: Rig) -> None:
    services = Services(rig)
    await services.served()
    for member in (FIRST, SECOND):
        await services.run(member)
        await services.export(member)
    await rig.apply(ingress(rig, "hello", "nowhere"))

    async def located(*clusters: str) -> None:
        found = await rig.get("hub", scheme.MULTI_CLUSTER_INGRESSES, "web", rig.namespace)
        assert found and found["status"]["serviceLocations"] == [{"name": "hello", "clusters": list(clusters)}]
        pods = [pod for cluster in clusters for pod in await services.pods(cluster)]
        assert len(pods) == len(clusters) and await endpoints(rig, "hub", DERIVED) == sorted(pods)

    await rig.eventually(lambda: located(FIRST, SECOND))
    assert await rig.get("hub", scheme.SERVICES, "derived-hello", rig.namespace) is None
    load_balancer = {"status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.9"}]}}}
    await rig.hub.patch(scheme.MULTI_CLUSTER_INGRESSES, "web", rig.namespace, load_balancer, subresource="status")
    actions = {"status": {"remedyActions": ["TrafficControl"]}}
    await rig.hub.patch(scheme.CLUSTERS, SECOND, None, actions, subresource="status")

    async def blocked(*clusters: str) -> None:
        found = await rig.get("hub", scheme.MULTI_CLUSTER_INGRESSES, "web", rig.namespace)
        assert found and found["status"].get("trafficBlockClusters", []) == list(clusters)
        assert found["status"]["loadBalancer"] == load_balancer["status"]["loadBalancer"]

    await rig.eventually(lambda: blocked(SECOND))
    await rig.hub.patch(scheme.CLUSTERS, SECOND, None, {"status": {"remedyActions": None}}, subresource="status")
    await rig.eventually(blocked)
    await services.unexport(SECOND)
    await rig.eventually(lambda: located(FIRST))
    await services.unexport(FIRST)

    async def nowhere() -> None:
        found = await rig.get("hub", scheme.MULTI_CLUSTER_INGRESSES, "web", rig.namespace)
        assert found and found["status"]["serviceLocations"] == []
        assert not await endpoints(rig, "hub", DERIVED)

    await rig.eventually(nowhere)


async def test_without_the_ingress_its_backends_leave_the_hub(rig: Rig) -> None:
    services = Services(rig)
    await services.run(FIRST)
    await services.export(FIRST)
    await rig.apply(ingress(rig, "hello"))

    async def there(wanted: bool) -> None:
        assert bool(await endpoints(rig, "hub", DERIVED)) is wanted

    await rig.eventually(lambda: there(True))
    await rig.apply(ingress(rig, "other"))
    await rig.eventually(lambda: there(False))
    await rig.apply(ingress(rig, "hello"))
    await rig.eventually(lambda: there(True))
    await rig.delete(scheme.MULTI_CLUSTER_INGRESSES, "web", rig.namespace)
    await rig.eventually(lambda: there(False))
    assert await services.imported(SECOND) is not None
