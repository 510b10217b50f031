"""The command lines of one cluster's processes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from hansa.rig.binaries import Binaries
from hansa.rig.pki import FRONT_PROXY, Pki
from hansa.rig.ports import HOST

# What runs on a hub: nothing that would turn a template into pods, endpoints or volumes.
HUB_CONTROLLERS = (
    "namespace-controller",
    "garbage-collector-controller",
    "serviceaccount-controller",
    "serviceaccount-token-controller",
    "root-ca-certificate-publisher-controller",
    "ttl-after-finished-controller",
    "certificatesigningrequest-approving-controller",
    "certificatesigningrequest-cleaner-controller",
    "certificatesigningrequest-signing-controller",
    "clusterrole-aggregation-controller",
)

# A member runs everything but what needs real nodes. Nobody may evict pods because a simulated node's heartbeat came
# late on a busy machine; who tests node loss takes the node or its condition away.
MEMBER_CONTROLLERS = (
    "*",
    "-node-lifecycle-controller",
    "-taint-eviction-controller",
    "-node-ipam-controller",
    "-persistentvolume-attach-detach-controller",
    "-persistentvolume-expander-controller",
)


def etcd(binaries: Binaries, pki: Pki, data: Path, ports: Mapping[str, int], *, sync: bool) -> list[str]:
    """`sync=False` trades safety against power loss for speed; a killed process loses nothing either way."""
    client, peer = f"https://{HOST}:{ports['etcd']}", f"https://{HOST}:{ports['etcd-peer']}"
    arguments = [
        str(binaries.etcd),
        f"--data-dir={data}",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=default={peer}",
        f"--cert-file={pki.certificate('etcd')}",
        f"--key-file={pki.key('etcd')}",
        "--client-cert-auth",
        f"--trusted-ca-file={pki.certificate('etcd-ca')}",
        f"--peer-cert-file={pki.certificate('etcd')}",
        f"--peer-key-file={pki.key('etcd')}",
        "--peer-client-cert-auth",
        f"--peer-trusted-ca-file={pki.certificate('etcd-ca')}",
        "--log-level=warn",
    ]
    return arguments if sync else [*arguments, "--unsafe-no-fsync"]


def api_server(
    binaries: Binaries,
    pki: Pki,
    ports: Mapping[str, int],
    *,
    service_range: str,
    service_accounts: bool,
    extra: Sequence[str] = (),
) -> list[str]:
    """`service_accounts` is whether a controller makes them: without one no pod could ever be admitted."""
    arguments = [
        str(binaries.api_server),
        f"--etcd-servers=https://{HOST}:{ports['etcd']}",
        f"--etcd-cafile={pki.certificate('etcd-ca')}",
        f"--etcd-certfile={pki.certificate('etcd-client')}",
        f"--etcd-keyfile={pki.key('etcd-client')}",
        f"--secure-port={ports['api']}",
        f"--bind-address={HOST}",
        f"--advertise-address={HOST}",
        # there is no node that could reach an endpoint of the service `kubernetes`
        "--endpoint-reconciler-type=none",
        f"--service-cluster-ip-range={service_range}",
        f"--tls-cert-file={pki.certificate('server')}",
        f"--tls-private-key-file={pki.key('server')}",
        f"--client-ca-file={pki.certificate('ca')}",
        "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
        f"--service-account-key-file={pki.token_public_key}",
        f"--service-account-signing-key-file={pki.key('sa')}",
        f"--requestheader-client-ca-file={pki.certificate('front-proxy-ca')}",
        f"--requestheader-allowed-names={FRONT_PROXY}",
        "--requestheader-username-headers=X-Remote-User",
        "--requestheader-group-headers=X-Remote-Group",
        "--requestheader-extra-headers-prefix=X-Remote-Extra-",
        f"--proxy-client-cert-file={pki.certificate('front-proxy')}",
        f"--proxy-client-key-file={pki.key('front-proxy')}",
        # no kube-proxy: the address of an aggregated API comes from endpoints, not from a service address
        "--enable-aggregator-routing=true",
        "--authorization-mode=Node,RBAC",
        "--allow-privileged=true",
        "--profiling=false",
    ]
    if not service_accounts:
        arguments.append("--disable-admission-plugins=ServiceAccount")
    return [*arguments, *extra]


def controller_manager(
    binaries: Binaries, pki: Pki, kubeconfig: Path, controllers: Sequence[str], extra: Sequence[str] = ()
) -> list[str]:
    return [
        str(binaries.controller_manager),
        f"--kubeconfig={kubeconfig}",
        f"--controllers={','.join(controllers)}",
        f"--service-account-private-key-file={pki.key('sa')}",
        f"--root-ca-file={pki.certificate('ca')}",
        f"--cluster-signing-cert-file={pki.certificate('ca')}",
        f"--cluster-signing-key-file={pki.key('ca')}",
        # the roles of the controllers are bound to a ServiceAccount each
        "--use-service-account-credentials=true",
        "--leader-elect=false",
        "--secure-port=0",
        "--profiling=false",
        "--kube-api-qps=400",
        "--kube-api-burst=800",
        *extra,
    ]


def scheduler(binaries: Binaries, kubeconfig: Path, extra: Sequence[str] = ()) -> list[str]:
    return [
        str(binaries.scheduler),
        f"--kubeconfig={kubeconfig}",
        "--leader-elect=false",
        "--secure-port=0",
        "--profiling=false",
        "--kube-api-qps=400",
        "--kube-api-burst=800",
        *extra,
    ]
