"""Who may do what: the RBAC index, its reasons, escalation, aggregation."""

from __future__ import annotations

from hansa.api.meta import Json
from hansa.apiserver.message import Request, UserInfo
from hansa.apiserver.rbac import GROUP, Attributes, Authorizer, default_rbac, forbidden_message, forbidden_status
from hansa.apiserver.server import _asked
from hansa.apiserver.target import target_of

ALICE = UserInfo("alice", ("dev", "system:authenticated"))
ADMIN = UserInfo("root", ("system:masters",))


def role(name: str, *rules: Json, namespace: str = "", labels: Json | None = None, gathers: Json | None = None) -> Json:
    meta: Json = {"name": name, "labels": labels or {}}
    if namespace:
        meta["namespace"] = namespace
    found: Json = {"kind": "Role" if namespace else "ClusterRole", "metadata": meta, "rules": list(rules)}
    if gathers:
        found["aggregationRule"] = {"clusterRoleSelectors": [{"matchLabels": gathers}]}
    return found


def rule(verbs: str, resources: str = "", group: str = "", names: str = "") -> Json:
    found: Json = {"verbs": verbs.split(), "apiGroups": [group], "resources": resources.split()}
    if names:
        found["resourceNames"] = names.split()
    return found


def binding(name: str, role_name: str, *subjects: Json, namespace: str = "", kind: str = "ClusterRole") -> Json:
    meta: Json = {"name": name}
    if namespace:
        meta["namespace"] = namespace
    return {
        "kind": "RoleBinding" if namespace else "ClusterRoleBinding",
        "metadata": meta,
        "roleRef": {"apiGroup": GROUP, "kind": kind, "name": role_name},
        "subjects": list(subjects),
    }


USER = {"kind": "User", "name": "alice"}
DEV = {"kind": "Group", "name": "dev"}


def get(resource: str, namespace: str = "", name: str = "", verb: str = "get", subresource: str = "") -> Attributes:
    return Attributes(verb, "", "v1", resource, subresource, namespace, name)


def test_masters_may_do_everything() -> None:
    assert Authorizer().allowed(ADMIN, get("secrets")).allowed


def test_a_cluster_binding_holds_everywhere_and_says_why() -> None:
    rbac = Authorizer([role("reader", rule("get list", "pods")), binding("b", "reader", DEV)])
    decision = rbac.allowed(ALICE, get("pods", "ns"))
    assert decision.allowed
    assert decision.reason == 'RBAC: allowed by ClusterRoleBinding "b" of ClusterRole "reader" to Group "dev"'
    assert not rbac.allowed(ALICE, get("pods", "ns", verb="delete")).allowed
    assert not rbac.allowed(ALICE, get("secrets", "ns")).allowed


def test_a_role_binding_holds_in_its_namespace() -> None:
    rbac = Authorizer(
        [role("r", rule("*", "pods"), namespace="a"), binding("b", "r", USER, namespace="a", kind="Role")]
    )
    assert (
        rbac.allowed(ALICE, get("pods", "a")).reason == 'RBAC: allowed by RoleBinding "b/a" of Role "r" to User "alice"'
    )
    assert not rbac.allowed(ALICE, get("pods", "b")).allowed
    assert not rbac.allowed(ALICE, get("pods")).allowed


def test_service_accounts_default_to_the_namespace_of_the_binding() -> None:
    robot = UserInfo("system:serviceaccount:a:robot", ("system:serviceaccounts",))
    subject = {"kind": "ServiceAccount", "name": "robot"}
    rbac = Authorizer([role("r", rule("get", "pods")), binding("b", "r", subject, namespace="a")])
    decision = rbac.allowed(robot, get("pods", "a"))
    assert decision.reason == 'RBAC: allowed by RoleBinding "b/a" of ClusterRole "r" to ServiceAccount "robot/a"'
    assert not rbac.allowed(robot, get("pods", "b")).allowed


def test_names_subresources_and_paths() -> None:
    rbac = Authorizer(
        [
            role(
                "r",
                rule("get", "secrets", names="one two"),
                rule("get", "pods/log */scale"),
                {"verbs": ["get"], "nonResourceURLs": ["/healthz", "/m/*"]},
            ),
            binding("b", "r", USER),
        ]
    )
    assert rbac.allowed(ALICE, get("secrets", "x", "two")).allowed
    assert not rbac.allowed(ALICE, get("secrets", "x", "three")).allowed
    assert not rbac.allowed(ALICE, get("secrets", "x")).allowed
    assert rbac.allowed(ALICE, get("pods", "x", "p", subresource="log")).allowed
    assert not rbac.allowed(ALICE, get("pods", "x", "p")).allowed
    assert rbac.allowed(ALICE, get("things", "x", "p", subresource="scale")).allowed
    assert rbac.allowed(ALICE, Attributes("get", path="/m/x")).allowed
    assert not rbac.allowed(ALICE, Attributes("get", path="/metrics")).allowed


def test_the_index_follows_changes() -> None:
    rbac = Authorizer()
    r, b = role("r", rule("get", "pods")), binding("b", "r", USER)
    rbac.changed(None, b)
    missing = rbac.allowed(ALICE, get("pods"))
    assert missing == (False, f'rbac: RBAC: clusterrole.{GROUP} "r" not found')
    rbac.changed(None, r)
    assert rbac.allowed(ALICE, get("pods")).allowed
    other = binding("b", "r", DEV)
    rbac.changed(b, other)
    assert not rbac.allowed(UserInfo("alice"), get("pods")).allowed
    rbac.changed(other, None)
    assert rbac.allowed(ALICE, get("pods")) == (False, "")


def test_aggregation_reaches_through_roles_that_gather() -> None:
    rbac = Authorizer(
        [
            role("view", gathers={"to": "view"}, labels={"to": "edit"}),
            role("edit", gathers={"to": "edit"}),
            role("part", rule("get", "pods"), labels={"to": "view"}),
            binding("b", "edit", USER),
        ]
    )
    assert rbac.allowed(ALICE, get("pods")).allowed
    assert rbac.aggregated_rules("view") == [rule("get", "pods")]
    assert rbac.aggregated_rules("part") is None
    assert rbac.aggregating() == ["edit", "view"]


def test_nobody_grants_what_they_do_not_hold() -> None:
    rbac = Authorizer([role("r", rule("get list", "pods")), binding("b", "r", USER)])
    assert rbac.escalation(ALICE, role("new", rule("get", "pods")), None) is None
    refused = rbac.escalation(
        ALICE,
        role(
            "new",
            rule("get delete", "pods"),
            rule("get", "secrets", names="a b"),
            {"verbs": ["get"], "nonResourceURLs": ["/m/*"]},
        ),
        None,
    )
    assert refused == (
        'user "alice" (groups=["dev" "system:authenticated"]) is attempting to grant RBAC permissions '
        "not currently held:\n"
        '{APIGroups:[""], Resources:["pods"], Verbs:["delete"]}\n'
        '{APIGroups:[""], Resources:["secrets"], ResourceNames:["a"], Verbs:["get"]}\n'
        '{APIGroups:[""], Resources:["secrets"], ResourceNames:["b"], Verbs:["get"]}\n'
        '{NonResourceURLs:["/m/*"], Verbs:["get"]}'
    )
    assert rbac.escalation(ADMIN, role("new", rule("*", "*", "*")), None) is None


def test_binding_needs_the_rights_or_the_verb() -> None:
    strong = role("strong", rule("*", "secrets"))
    objects = [strong, role("r", rule("get", "pods")), binding("b", "r", USER)]
    assert Authorizer(objects).escalation(ALICE, binding("x", "strong", USER), None) is not None
    assert Authorizer(objects).escalation(ALICE, binding("x", "r", USER), None) is None
    binder = role("binder", rule("bind", "clusterroles", GROUP, "strong"))
    rbac = Authorizer([*objects, binder, binding("c", "binder", USER)])
    assert rbac.escalation(ALICE, binding("x", "strong", USER), None) is None


def test_aggregation_rules_are_for_the_almighty() -> None:
    rbac = Authorizer()
    text = "must have cluster-admin privileges to use the aggregationRule"
    assert rbac.escalation(ALICE, role("new", gathers={"a": "b"}), None) == text


def test_what_garbage_collection_writes_is_no_escalation() -> None:
    old = role("strong", rule("*", "*", "*"))
    new = {**old, "metadata": {**old["metadata"], "finalizers": [], "resourceVersion": "5"}}
    assert Authorizer().escalation(ALICE, new, old) is None


def test_the_words_of_a_refusal() -> None:
    asked = Attributes("create", "apps", "v1", "deployments", "scale", "ns", "d")
    assert forbidden_message(ALICE, asked) == (
        'deployments.apps "d" is forbidden: User "alice" cannot create resource "deployments/scale" '
        'in API group "apps" in the namespace "ns"'
    )
    assert forbidden_message(ALICE, Attributes("get", path="/x")) == 'forbidden: User "alice" cannot get path "/x"'
    status = forbidden_status(ALICE, get("pods", verb="list"), "because")
    assert status["message"].endswith("at the cluster scope: because")
    assert status["details"] == {"kind": "pods"}


def test_a_fresh_cluster_lets_everybody_discover_and_nobody_read() -> None:
    rbac = Authorizer(default_rbac())
    assert rbac.allowed(ALICE, Attributes("get", path="/openapi/v3")).allowed
    nobody = UserInfo("system:anonymous", ("system:unauthenticated",))
    assert rbac.allowed(nobody, Attributes("get", path="/version")).allowed
    review = Attributes("create", "authorization.k8s.io", "v1", "selfsubjectaccessreviews")
    assert rbac.allowed(ALICE, review).allowed
    assert not rbac.allowed(ALICE, get("pods", "default")).allowed
    rbac.changed(None, binding("admins", "admin", USER, namespace="team"))
    assert rbac.allowed(ALICE, Attributes("create", "apps", "v1", "deployments", "", "team")).allowed
    assert not rbac.allowed(ALICE, Attributes("create", "apps", "v1", "deployments", "", "default")).allowed


def test_rules_of_a_user() -> None:
    rbac = Authorizer([role("r", rule("get", "pods")), binding("b", "r", USER), binding("c", "nope", USER)])
    rules, error = rbac.rules_of(ALICE, "default")
    assert rules == [rule("get", "pods")]
    assert error == f'clusterrole.{GROUP} "nope" not found'


def test_a_list_of_one_object_by_its_name_needs_a_right_to_that_object_only() -> None:
    def name(verb: str, path: str, **query: str) -> str:
        return _asked(target_of(Request(verb, path, tuple(query.items()), {}, b"", None))).name

    path = "/api/v1/namespaces/default/configmaps"
    assert name("GET", path, fieldSelector="metadata.name=a") == "a"
    assert name("GET", path, fieldSelector="metadata.name=a", watch="true") == "a"
    assert name("GET", f"{path}/b") == "b"
    assert name("DELETE", path, fieldSelector="metadata.name=a") == ""
    for other in ("", "metadata.name!=a", "metadata.namespace=a", "metadata.name=a/b", "metadata.name=..", "broken"):
        assert name("GET", path, fieldSelector=other) == ""
