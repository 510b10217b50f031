"""What `hansa init` puts on a hub besides CRDs: namespaces, the account that Hansa works as, and what it may do.

Hansa reads every kind, because any kind can be a template, and patches them to claim them and to report their status.
Because roles and their bindings are among the kinds, the account could give itself more: guard it as you would guard
an administrator's.
It creates, changes and deletes only objects of its own groups, execution namespaces, and the Secrets it made.
"""

from __future__ import annotations

from hansa.api import names
from hansa.api.meta import Json

ACCOUNT = "hansa"
ACCOUNT_NAMESPACE = names.HANSA_NAMESPACE
ACCOUNT_USER = f"system:serviceaccount:{ACCOUNT_NAMESPACE}:{ACCOUNT}"
ROLE = "hansa"
OWN_GROUPS = (
    "apps.karmada.io",
    "autoscaling.karmada.io",
    "cluster.karmada.io",
    "config.karmada.io",
    "core.kubefed.io",
    "multicluster.x-k8s.io",
    "networking.hansa.dev",
    "networking.karmada.io",
    "policy.karmada.io",
    "remedy.karmada.io",
    "scheduling.kubefed.io",
    "search.karmada.io",
    "types.kubefed.io",
    "work.karmada.io",
)
_RBAC = "rbac.authorization.k8s.io"


def namespaces() -> list[Json]:
    """Namespaces that the control plane and joined clusters need."""
    wanted = (names.HANSA_NAMESPACE, names.CLUSTER_NAMESPACE, names.KUBEFED_NAMESPACE)
    labels = {names.SYSTEM_LABEL: "true"}
    return [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": n, "labels": labels}} for n in wanted]


def account() -> Json:
    """The ServiceAccount that `hansa run` works as."""
    return {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"name": ACCOUNT, "namespace": names.HANSA_NAMESPACE},
    }


def permissions() -> list[Json]:
    """ClusterRole, Role and their bindings for the account. One rule for each reason."""
    return [
        _cluster_role(
            [
                # any kind can be a template, a dependency, or the target of a policy
                _rule(["*"], ["*"], ["get", "list", "watch"]),
                # claims are labels on templates, results are their status
                _rule(["*"], ["*"], ["patch"]),
                # roles and their bindings can be templates too: an API server lets nobody label one who does not hold
                # its rules, or these verbs
                _rule([_RBAC], ["roles", "clusterroles"], ["bind", "escalate"]),
                # what Hansa itself writes
                _rule(list(OWN_GROUPS), ["*"], ["create", "delete"]),
                # execution namespaces, one for each cluster
                _rule([""], ["namespaces"], ["create", "delete"]),
                # certificates of members' gateways: asked for by members, approved and signed here, removed when done
                _rule(["certificates.k8s.io"], ["certificatesigningrequests"], ["delete"]),
                {
                    **_rule(["certificates.k8s.io"], ["signers"], ["approve", "sign"]),
                    "resourceNames": [names.GATEWAY_SIGNER],
                },
                # the leader's; and since when services of a cluster are not heard of, in its execution namespace
                _rule(["coordination.k8s.io"], ["leases"], ["create"]),
                # beside a ServiceImport: its derived Service and its exporters' slices
                _rule([""], ["services"], ["create", "delete"]),
                _rule(["discovery.k8s.io"], ["endpointslices"], ["create", "delete"]),
                # explanations of what was decided
                _rule([""], ["events"], ["create"]),
                # what runs before objects are stored
                _rule(
                    ["admissionregistration.k8s.io"],
                    ["mutatingwebhookconfigurations", "validatingwebhookconfigurations"],
                    ["create"],
                ),
            ]
        ),
        _binding("ClusterRoleBinding", "ClusterRole", ROLE, None),
        # leader election, serving certificate, authority of gateways, and the account's own next token
        _role(
            names.HANSA_NAMESPACE,
            [
                _rule(["coordination.k8s.io"], ["leases"], ["update"]),
                _rule([""], ["secrets", "configmaps"], ["create"]),
                {**_rule([""], ["serviceaccounts/token"], ["create"]), "resourceNames": [ACCOUNT]},
            ],
        ),
        _binding("RoleBinding", "Role", ROLE, names.HANSA_NAMESPACE),
        # credentials of members that were joined for the other dialect
        *(
            document
            for namespace in (names.CLUSTER_NAMESPACE, names.KUBEFED_NAMESPACE)
            for document in (
                _role(namespace, [_rule([""], ["secrets"], ["create"])]),
                _binding("RoleBinding", "Role", ROLE, namespace),
            )
        ),
    ]


def _rule(groups: list[str], resources: list[str], verbs: list[str]) -> Json:
    return {"apiGroups": groups, "resources": resources, "verbs": verbs}


def _cluster_role(rules: list[Json]) -> Json:
    return {"apiVersion": f"{_RBAC}/v1", "kind": "ClusterRole", "metadata": {"name": ROLE}, "rules": rules}


def _role(namespace: str, rules: list[Json]) -> Json:
    meta = {"name": ROLE, "namespace": namespace}
    return {"apiVersion": f"{_RBAC}/v1", "kind": "Role", "metadata": meta, "rules": rules}


def _binding(kind: str, role_kind: str, role: str, namespace: str | None) -> Json:
    meta = {"name": role} | ({"namespace": namespace} if namespace else {})
    return {
        "apiVersion": f"{_RBAC}/v1",
        "kind": kind,
        "metadata": meta,
        "roleRef": {"apiGroup": _RBAC, "kind": role_kind, "name": role},
        "subjects": [{"kind": "ServiceAccount", "name": ACCOUNT, "namespace": names.HANSA_NAMESPACE}],
    }
