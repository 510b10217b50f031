"""Envoy's files: what must hold in them, whatever the services are."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hansa.kube.errors import ConfigError
from hansa.service.gateway import files
from hansa.service.gateway.clusters import assignments, clusters, probe_seconds
from hansa.service.gateway.health import PeerHealth, peer_health, rejected_updates, silent_inbounds, unheard
from hansa.service.gateway.layout import Layout
from hansa.service.gateway.listeners import listener_names, listeners
from hansa.service.gateway.settings import Settings
from hansa.service.gateway.site import Address, Inbound, Locality, Outbound, Site

LAYOUT = Layout(Path("/gateway"))
SETTINGS = Settings("10.0.0.1", port=15443, inbound_address="192.0.2.1")
OPEN = Inbound("shop/web/http", "http.web.shop.svc.clusterset.local", ("b", "c"), False, (Address("10.1.0.1", 80),))
CLOSED = replace(
    OPEN, name="shop/db/sql", server_name="sql.db.shop.svc.clusterset.local", consumers=("b",), restricted=True
)
PLACES = (
    Locality("", "", 0, 2, (Address("10.1.0.1", 80),)),
    Locality("b", "r1", 1, 3, (Address("192.0.2.2", 15443),)),
    Locality("c", "r2", 2, 5, (Address("192.0.2.3", 15443),)),
)
OUT = Outbound("shop/web/http", 20000, OPEN.server_name, PLACES, 71, False)
SITE = Site("a", ("b", "c"), (OPEN, CLOSED), (OUT,))
URI = "spiffe://clusterset.local/cluster/{}/gateway"


def uris(context: Any) -> list[str]:
    assert all(one["san_type"] == "URI" for one in context["match_typed_subject_alt_names"])
    return [one["matcher"]["exact"] for one in context["match_typed_subject_alt_names"]]


def chains(site: Site = SITE) -> dict[str, Any]:
    found = {one["name"]: one for one in listeners(site, LAYOUT, SETTINGS)}
    return {one["filter_chain_match"]["server_names"][0]: one for one in found["inbound"]["filter_chains"]}


def tls_contexts() -> list[Any]:
    cluster = {one["name"]: one for one in clusters(SITE, LAYOUT, SETTINGS)}["import/shop/web/http"]
    sockets = [one["transport_socket"] for one in cluster["transport_socket_matches"]]
    return [one["typed_config"] for one in [*sockets, *(chain["transport_socket"] for chain in chains().values())]]


def test_only_tls_1_3_is_spoken_on_either_side() -> None:
    assert len(tls_contexts()) == 4
    for context in tls_contexts():
        versions = context["common_tls_context"]["tls_params"]
        assert set(versions.values()) == {"TLSv1_3"}
        assert len(versions) == 2


def test_who_comes_in_shows_a_certificate_each_time() -> None:
    for chain in chains().values():
        context = chain["transport_socket"]["typed_config"]
        assert context["require_client_certificate"] is True
        assert context["disable_stateless_session_resumption"] is True
        assert context["disable_stateful_session_resumption"] is True


def test_members_come_from_a_file_so_that_a_change_touches_no_listener() -> None:
    fewer = replace(SITE, members=("c",))
    before, after = (files.documents(one, one, LAYOUT, SETTINGS, b"ca") for one in (SITE, fewer))
    assert [path for path in before if before[path] != after[path]] == [LAYOUT.secret("members")]


def test_nobody_is_not_everybody() -> None:
    """Envoy takes an empty list of names for any name."""
    alone = Site("a", ())
    found = files.documents(alone, alone, LAYOUT, SETTINGS, b"ca")
    (secret,) = json.loads(found[LAYOUT.secret("members")])["resources"]
    assert uris(secret["validation_context"]) == [URI.format("")]


def test_consumers_are_pinned_in_the_handshake_and_looked_at_again() -> None:
    chain = chains()[CLOSED.server_name]
    context = chain["transport_socket"]["typed_config"]["common_tls_context"]["combined_validation_context"]
    assert uris(context["default_validation_context"]) == [URI.format("b")]
    rbac, proxy = chain["filters"]
    policy = rbac["typed_config"]["rules"]["policies"]["consumers"]
    names = [one["authenticated"]["principal_name"]["exact"] for one in policy["principals"]]
    assert names == [URI.format("b")]
    assert rbac["typed_config"]["rules"]["action"] == "ALLOW"
    assert proxy["name"] == "envoy.filters.network.tcp_proxy"


def test_pods_hear_of_nobody_before_the_handshake() -> None:
    for chain in chains().values():
        assert chain["filters"][-1]["typed_config"]["upstream_connect_mode"] == "ON_DOWNSTREAM_TLS_HANDSHAKE"


def test_what_comes_in_goes_to_own_pods_only() -> None:
    for name, assignment in assignments(SITE).items():
        if name.startswith("export/"):
            (places,) = assignment["endpoints"]
            hosts = [one["endpoint"]["address"]["socket_address"]["address"] for one in places["lb_endpoints"]]
            assert hosts == ["10.1.0.1"]
    sockets = [one for one in clusters(SITE, LAYOUT, SETTINGS) if one["name"].startswith("export/")]
    assert all("transport_socket_matches" not in one for one in sockets)


def test_every_endpoint_elsewhere_has_a_transport_that_pins_its_cluster() -> None:
    cluster = {one["name"]: one for one in clusters(SITE, LAYOUT, SETTINGS)}["import/shop/web/http"]
    transports = {one["match"]["cluster"]: one["transport_socket"] for one in cluster["transport_socket_matches"]}
    for place in assignments(SITE)["import/shop/web/http"]["endpoints"]:
        zone = place["locality"]["zone"]
        for endpoint in place["lb_endpoints"]:
            if not zone:
                assert "metadata" not in endpoint
                continue
            named = endpoint["metadata"]["filter_metadata"]["envoy.transport_socket_match"]["cluster"]
            context = transports[named]["typed_config"]
            pinned = context["common_tls_context"]["combined_validation_context"]["default_validation_context"]
            assert (named, uris(pinned), context["sni"]) == (zone, [URI.format(zone)], OPEN.server_name)


def test_settings_that_failures_have_taught() -> None:
    for cluster in clusters(SITE, LAYOUT, SETTINGS):
        (probe,) = cluster["health_checks"]
        assert probe["no_traffic_interval"] == probe["no_traffic_healthy_interval"] == "1s"
        assert cluster["ignore_health_on_host_removal"] is True
        assert cluster["common_lb_config"]["healthy_panic_threshold"] == {"value": 0}
        assert cluster["outlier_detection"]["split_external_local_origin_errors"] is True
        assert cluster["connect_timeout"] == "1s"
        assert cluster["circuit_breakers"]["thresholds"][0]["max_connections"] == SETTINGS.max_connections
    for listener in listeners(SITE, LAYOUT, SETTINGS):
        for chain in listener["filter_chains"]:
            assert chain["filters"][-1]["typed_config"]["max_connect_attempts"] == 3


@pytest.mark.parametrize(("percent", "factor"), [(71, 140), (100, 100), (50, 200), (1, 10_000)])
def test_the_share_of_healthy_endpoints_becomes_a_factor(percent: int, factor: int) -> None:
    site = replace(SITE, outbounds=(replace(OUT, min_healthy_percent=percent),))
    assert assignments(site)["import/shop/web/http"]["policy"] == {"overprovisioning_factor": factor}


def test_affinity_is_by_source() -> None:
    site = replace(SITE, outbounds=(replace(OUT, sticky=True),))
    cluster = {one["name"]: one for one in clusters(site, LAYOUT, SETTINGS)}["import/shop/web/http"]
    assert cluster["lb_policy"] == "RING_HASH"
    listener = {one["name"]: one for one in listeners(site, LAYOUT, SETTINGS)}["import/shop/web/http"]
    proxy = listener["filter_chains"][0]["filters"][0]["typed_config"]
    assert proxy["hash_policy"] == [{"source_ip": {}}]


def test_listeners_are_where_the_settings_say() -> None:
    found = {one["name"]: tuple(one["address"]["socket_address"].values()) for one in listeners(SITE, LAYOUT, SETTINGS)}
    assert found == {"inbound": ("192.0.2.1", 15443), "import/shop/web/http": ("10.0.0.1", 20000)}
    assert listeners(Site("a", ()), LAYOUT, SETTINGS) == []


def test_probes_are_bounded() -> None:
    assert probe_seconds(SITE) == 1.0
    pods = tuple(Address("10.1.0.1", port) for port in range(1, 601))
    assert probe_seconds(replace(SITE, inbounds=(replace(OPEN, pods=pods),))) == 4.0


def test_what_is_named_is_written_before_who_names_it() -> None:
    order = list(files.documents(SITE, SITE, LAYOUT, SETTINGS, b"ca"))
    assert order[-2:] == [LAYOUT.clusters, LAYOUT.listeners]


def test_clusters_that_go_outlive_their_listeners() -> None:
    less = replace(SITE, inbounds=(), outbounds=())
    both = files.documents(less, SITE, LAYOUT, SETTINGS, b"ca")
    assert json.loads(both[LAYOUT.listeners])["resources"] == []
    assert len(json.loads(both[LAYOUT.clusters])["resources"]) == 3


def test_files_are_private_whole_and_written_on_a_change_only(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "d")
    layout.prepare()
    found = files.documents(SITE, SITE, layout, SETTINGS, b"ca") | files.identity_document(layout, b"cert", b"key")
    assert files.write(found) == len(found)
    assert files.write(found) == 0
    assert {path.stat().st_mode & 0o777 for path in found} == {0o600}
    fewer = replace(SITE, outbounds=())
    final = files.documents(fewer, fewer, layout, SETTINGS, b"ca")
    files.sweep(layout, final)
    assert sorted(path.name for path in layout.endpoints.iterdir()) == [
        "export.shop.db.sql.json",
        "export.shop.web.http.json",
    ]


def test_the_key_is_in_its_own_file_only(tmp_path: Path) -> None:
    (secret,) = json.loads(next(iter(files.identity_document(LAYOUT, b"cert", b"key").values())))["resources"]
    assert base64.b64decode(secret["tls_certificate"]["private_key"]["inline_bytes"]) == b"key"
    others = files.documents(SITE, SITE, LAYOUT, SETTINGS, b"ca") | files.start_documents(LAYOUT, SETTINGS)
    assert all(base64.b64encode(b"key") not in content for content in others.values())


def test_a_folder_too_deep_for_a_socket_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="take a shorter one"):
        Layout(tmp_path / ("x" * 100)).prepare()


def test_health_of_peers_is_what_the_probes_of_imports_say() -> None:
    def host(zone: str, **status: bool) -> dict[str, Any]:
        return {"locality": {"zone": zone}, "health_status": {"eds_health_status": "HEALTHY", **status}}

    hosts = [host("b"), host("b", failed_active_health_check=True), host("c", failed_outlier_check=True), host("")]
    document = {
        "cluster_statuses": [
            {"name": "import/shop/web/http", "host_statuses": hosts},
            {"name": "export/shop/web/http", "host_statuses": [host("z")]},
            {"name": "import/shop/web/gone"},
        ]
    }
    assert peer_health(document, SITE) == {"b": PeerHealth(1, 2), "c": PeerHealth(0, 1)}
    assert rejected_updates([{"name": "x.update_rejected", "value": 2}, {"name": "x.update_success", "value": 5}]) == 2


def test_what_no_pod_answers_for_is_not_offered_but_still_probed() -> None:
    stats = [
        {"name": "cluster.export/shop/web/http.membership_healthy", "value": 0},
        {"name": "cluster.export/shop/db/sql.membership_healthy", "value": 1},
        {"name": "cluster.export/shop/gone/http.membership_healthy", "value": 0},
    ]
    silent = silent_inbounds(stats, SITE)
    assert silent == {"shop/web/http"}
    assert silent_inbounds([], SITE) == frozenset(), "unknown is not silent"
    withheld = SITE.withholding(silent)
    assert set(chains(withheld)) == {CLOSED.server_name}
    assert clusters(withheld, LAYOUT, SETTINGS) == clusters(SITE, LAYOUT, SETTINGS)
    assert withheld.withholding(frozenset()) == SITE


def test_what_envoy_does_not_listen_for_is_known() -> None:
    names = listener_names(SITE)
    assert names == {one["name"] for one in listeners(SITE, LAYOUT, SETTINGS)}
    assert listener_names(replace(SITE, inbounds=())) == {"import/shop/web/http"}
    assert unheard({"listener_statuses": [{"name": "inbound"}, {"name": "other"}]}, names) == {"import/shop/web/http"}
    assert unheard({}, frozenset()) == frozenset()
