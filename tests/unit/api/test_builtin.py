import pytest

from hansa.api import builtin
from hansa.api.meta import GVK, Resource
from hansa.apiserver.builtin import rules_for
from hansa.apiserver.builtin.fallback import CREATED_AT

DEPLOYMENT = GVK("apps", "v1", "Deployment")


def test_resources_say_what_discovery_says():
    found = {entry.resource: entry for entry in builtin.builtin_resources()}
    deployments = found[Resource("apps", "v1", "deployments", "Deployment", True)]
    assert deployments.short_names == ["deploy"] and deployments.categories == ["all"]
    assert {"create", "delete", "get", "list", "patch", "update", "watch"} <= set(deployments.verbs)
    scale = next(sub for sub in deployments.subresources if sub.name == "scale")
    assert (scale.group, scale.version, scale.kind) == ("autoscaling", "v1", "Scale")
    assert not found[Resource("", "v1", "namespaces", "Namespace", False)].resource.namespaced
    assert builtin.kubernetes_version().startswith("v1.")


def test_every_resource_that_is_stored_has_a_schema():
    missing = [
        entry.resource for entry in builtin.builtin_resources() if builtin.schema_for(entry.resource.gvk) is None
    ]
    assert missing == []


def test_every_reference_leads_somewhere_and_no_prose_is_left():
    def check(value, name=""):
        if isinstance(value, dict):
            assert name == "properties" or not isinstance(value.get("description"), str)
            if isinstance(value.get("$ref"), str):
                assert builtin.resolve(value) is not value
            for key, inner in value.items():
                check(inner, "" if name == "properties" else key)
        elif isinstance(value, list):
            for inner in value:
                check(inner)

    for schema in builtin.definitions().values():
        check(schema)


def test_schemas_carry_merge_keys_and_list_types():
    pod = builtin.resolve(builtin.schema_for(GVK("", "v1", "Pod"))["properties"]["spec"])
    containers = pod["properties"]["containers"]
    assert containers["x-kubernetes-patch-merge-key"] == "name"
    assert containers["x-kubernetes-list-map-keys"] == ["name"]
    assert builtin.schema_for(GVK("example.com", "v1", "Thing")) is None


@pytest.mark.parametrize("entry", builtin.builtin_resources(), ids=lambda entry: entry.resource.group_resource)
def test_kinds_with_printers_of_their_own_print_the_real_columns(entry):
    ours = rules_for(entry.resource.gvk).columns
    if "list" in entry.verbs and CREATED_AT not in ours[:2]:
        real = [(column.name, column.type, column.format, column.priority) for column in entry.columns]
        assert [(column.name, column.type, column.format, column.priority) for column in ours] == real
