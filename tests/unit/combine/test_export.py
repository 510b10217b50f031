"""What an export offers, and why some offer nothing."""

from __future__ import annotations

import pytest

from hansa.api import names
from hansa.api.item import Item
from hansa.combine.export import Export, Invalid, Offer, Port, read_export


def exported(name="web", namespace="shop", **spec):
    meta = {"name": name, "namespace": namespace, "creationTimestamp": "2026-01-02T03:04:05Z"}
    document = {"apiVersion": "multicluster.x-k8s.io/v1beta1", "kind": "ServiceExport", "metadata": meta}
    return Item.of(document | ({"spec": spec} if spec else {}))


def service(**spec):
    meta = {"name": "web", "namespace": "shop", "labels": {"of": "the service"}}
    return Item.of({"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": spec})


def test_what_is_read_of_a_service():
    found = read_export(
        "c1",
        exported(exportedLabels={"team": "shop"}),
        service(
            type="LoadBalancer",
            clusterIP="10.0.0.1",
            ports=[
                {"name": "http", "port": 80, "targetPort": 8080, "protocol": "TCP", "nodePort": 30000},
                {"name": "dns", "port": 53, "protocol": "UDP", "appProtocol": "dns"},
            ],
            sessionAffinity="ClientIP",
            sessionAffinityConfig={"clientIP": {"timeoutSeconds": 10}},
            internalTrafficPolicy="Local",
            trafficDistribution="PreferClose",
            ipFamilies=["IPv6", "IPv4"],
        ),
    )
    assert found == Export(
        "c1",
        "2026-01-02T03:04:05Z",
        Offer(
            ports=(Port("http", 80), Port("dns", 53, "UDP", "dns")),
            session_affinity="ClientIP",
            session_affinity_config={"clientIP": {"timeoutSeconds": 10}},
            internal_traffic_policy="Local",
            traffic_distribution="PreferClose",
            ip_families=("IPv6", "IPv4"),
            labels={"team": "shop"},
        ),
    )


def test_a_service_without_address_is_headless():
    found = read_export("c1", exported(), service(clusterIP="None", ports=[]))
    assert isinstance(found, Export) and found.offer.headless


@pytest.mark.parametrize(
    ("export", "of", "reason", "words"),
    [
        (exported(), None, "NoService", "shop/web"),
        (exported("Web"), None, "NoService", "DNS-1035"),
        (exported(), service(type="ExternalName", externalName="a.b"), "InvalidServiceType", "ExternalName"),
        (exported(namespace="kube-public"), service(), "ReservedNamespace", "kube-public"),
        (exported(namespace="karmada-es-c1"), service(), "ReservedNamespace", "karmada-es-c1"),
        (exported(namespace="default"), service(), "ReservedNamespace", "default"),
        (exported(exportedLabels={"a b": "c"}), service(), "InvalidMetadata", "spec.exportedLabels[a b]"),
        (exported(exportedLabels={"a": "b c"}), service(), "InvalidMetadata", "spec.exportedLabels[a]"),
        (exported(exportedAnnotations={"/": "c"}), service(), "InvalidMetadata", "spec.exportedAnnotations[/]"),
        (
            exported(exportedAnnotations={names.EXPORTED_ANNOTATION: "{}"}),
            service(),
            "InvalidMetadata",
            "hansa.dev cannot be exported",
        ),
    ],
)
def test_what_is_no_export(export, of, reason, words):
    found = read_export("c1", export, of)
    assert isinstance(found, Invalid)
    assert found.reason == reason and words in found.message
