import pytest

from hansa.api.builtin import schema_for
from hansa.api.merge import (
    ApplyConflict,
    ApplyError,
    apply,
    ignored_fields,
    keep_times,
    update_managed_fields,
)
from hansa.api.meta import GVK

DEPLOYMENT = schema_for(GVK("apps", "v1", "Deployment"))
CONFIG_MAP = schema_for(GVK("", "v1", "ConfigMap"))
T1, T2, T3 = (f"2026-11-24T03:00:0{i}Z" for i in (1, 2, 3))


def config_map(data, **meta):
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", **meta}, "data": data}


def applied(live, config, manager="m", now=T1, **options):
    return apply(live, config, CONFIG_MAP, manager=manager, api_version="v1", now=now, **options)


def updated(live, new, manager="u", now=T1, **options):
    return update_managed_fields(live, new, CONFIG_MAP, manager=manager, api_version="v1", now=now, **options)


def owners(obj):
    return {
        (entry["manager"], entry["operation"]): entry["fieldsV1"] for entry in obj["metadata"].get("managedFields", [])
    }


def test_an_apply_creates_and_records_what_it_set():
    obj = applied(None, config_map({"x": "1"}, labels={"l": "1"}))
    assert obj["metadata"]["managedFields"] == [
        {
            "manager": "m",
            "operation": "Apply",
            "apiVersion": "v1",
            "time": T1,
            "fieldsType": "FieldsV1",
            "fieldsV1": {"f:data": {"f:x": {}}, "f:metadata": {"f:labels": {"f:l": {}}}},
        }
    ]


def test_an_update_owns_the_map_that_it_made():
    obj = updated(None, config_map({"x": "1"}))
    assert owners(obj) == {("u", "Update"): {"f:data": {".": {}, "f:x": {}}}}


def test_what_is_no_longer_applied_goes_unless_somebody_else_has_it():
    obj = applied(None, config_map({"x": "1", "y": "2"}))
    obj = applied(obj, config_map({"y": "2"}), manager="n", now=T2)
    obj = applied(obj, config_map({"z": "3"}), now=T3)
    assert obj["data"] == {"y": "2", "z": "3"}
    assert owners(obj) == {
        ("m", "Apply"): {"f:data": {"f:z": {}}},
        ("n", "Apply"): {"f:data": {"f:y": {}}},
    }


def test_conflicts_name_manager_and_field():
    obj = applied(None, config_map({"x": "1", "y": "1"}))
    obj = updated(obj, {**obj, "data": {"x": "1", "y": "2"}}, now=T2)
    with pytest.raises(ApplyConflict) as caught:
        applied(obj, config_map({"x": "2", "y": "3"}), manager="n", now=T3)
    assert str(caught.value) == (
        'Apply failed with 2 conflicts: conflicts with "m":\n- .data.x\nconflicts with "u" using v1:\n- .data.y'
    )
    assert [conflict.cause() for conflict in caught.value.conflicts] == [
        {"reason": "FieldManagerConflict", "message": 'conflict with "m"', "field": ".data.x"},
        {"reason": "FieldManagerConflict", "message": 'conflict with "u" using v1', "field": ".data.y"},
    ]
    with pytest.raises(ApplyConflict, match=r'Apply failed with 1 conflict: conflict with "m": \.data\.x$'):
        applied(obj, config_map({"x": "2"}), manager="n")
    forced = applied(obj, config_map({"x": "2", "y": "3"}), manager="n", now=T3, force=True)
    assert owners(forced) == {("n", "Apply"): {"f:data": {"f:x": {}, "f:y": {}}}}


def test_the_same_value_is_shared():
    obj = applied(None, config_map({"x": "1"}))
    obj = applied(obj, config_map({"x": "1"}), manager="n", now=T2)
    assert owners(obj)["m", "Apply"] == owners(obj)["n", "Apply"] == {"f:data": {"f:x": {}}}


def test_times_change_only_with_the_object():
    obj = applied(None, config_map({"x": "1"}))
    assert applied(obj, config_map({"x": "1"}), now=T2) == obj
    changed = updated(obj, {**obj, "data": {"x": "1", "y": "1"}}, now=T2)
    assert [entry["time"] for entry in changed["metadata"]["managedFields"]] == [T1, T2]
    same = updated(changed, changed, now=T3)
    assert same == changed


def test_a_write_that_changes_only_times_is_none():
    obj = applied(None, config_map({"x": "1"}))
    later = {**obj, "metadata": {**obj["metadata"]}}
    later["metadata"]["managedFields"] = [{**obj["metadata"]["managedFields"][0], "time": T2}]
    assert keep_times(obj, later) is obj
    other = {**later, "data": {}}
    assert keep_times(obj, other) is other


def test_the_first_apply_of_an_untracked_object_gives_the_rest_to_before_first_apply():
    obj = applied(config_map({"x": "1", "y": "1"}), config_map({"x": "1"}))
    assert owners(obj) == {
        ("before-first-apply", "Update"): {"f:data": {".": {}, "f:x": {}, "f:y": {}}},
        ("m", "Apply"): {"f:data": {"f:x": {}}},
    }
    with pytest.raises(ApplyConflict, match="before-first-apply"):
        applied(config_map({"x": "1"}), config_map({"x": "2"}))


def test_untracked_objects_stay_so_and_an_empty_list_forgets():
    assert "managedFields" not in updated(config_map({"x": "1"}), config_map({"x": "2"}))["metadata"]
    obj = applied(None, config_map({"x": "1"}))
    for reset in ([], [{}]):
        asked = {**obj, "metadata": {**obj["metadata"], "managedFields": reset}, "data": {"x": "2"}}
        assert "managedFields" not in updated(obj, asked)["metadata"]
    kept = {**obj, "metadata": {"name": "a"}}
    assert owners(updated(obj, kept)) == owners(obj)


def test_what_an_update_removes_is_owned_by_nobody():
    obj = applied(None, config_map({"x": "1", "y": "1"}))
    obj = updated(obj, {**obj, "data": {"x": "1"}}, now=T2)
    assert owners(obj) == {("m", "Apply"): {"f:data": {"f:x": {}}}}


def test_status_belongs_to_its_own_endpoint():
    live = updated(None, {"metadata": {"name": "a"}, "spec": {"replicas": 1}})
    new = {**live, "spec": {"replicas": 2}, "status": {"replicas": 1}}

    def write(subresource):
        return update_managed_fields(
            live,
            new,
            DEPLOYMENT,
            manager="c",
            api_version="apps/v1",
            now=T2,
            subresource=subresource,
            ignored=ignored_fields(subresource, has_status=True),
        )["metadata"]["managedFields"]

    assert write("status")[-1]["fieldsV1"] == {"f:status": {".": {}, "f:replicas": {}}}
    assert write("status")[-1]["subresource"] == "status"
    assert write("")[-1]["fieldsV1"] == {"f:spec": {"f:replicas": {}}}


def test_list_maps_are_merged_by_key_and_conflicts_show_it():
    def deployment(**container):
        pod = {"containers": [{"name": "web", **container}]}
        return {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "a"},
            "spec": {"template": {"spec": pod}},
        }

    def write(live, config, manager):
        return apply(live, config, DEPLOYMENT, manager=manager, api_version="apps/v1", now=T1)

    obj = write(None, deployment(image="a:1", ports=[{"containerPort": 80}]), "m")
    obj = write(obj, deployment(ports=[{"containerPort": 80, "name": "http"}, {"containerPort": 81}]), "n")
    assert obj["spec"]["template"]["spec"]["containers"] == [
        {"name": "web", "image": "a:1", "ports": [{"containerPort": 80, "name": "http"}, {"containerPort": 81}]}
    ]
    with pytest.raises(ApplyConflict) as caught:
        write(obj, deployment(image="a:2"), "n")
    assert caught.value.conflicts[0].field == '.spec.template.spec.containers[name="web"].image'
    key = 'k:{"containerPort":80,"protocol":"TCP"}'
    container = owners(obj)["n", "Apply"]["f:spec"]["f:template"]["f:spec"]["f:containers"]['k:{"name":"web"}']
    assert container["f:ports"][key] == {".": {}, "f:containerPort": {}, "f:name": {}}


def test_client_side_apply_is_taken_over_by_kubectl():
    last = '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"},"data":{"x":"1"}}'
    annotations = {"kubectl.kubernetes.io/last-applied-configuration": last}
    obj = updated(None, config_map({"x": "1"}, annotations=annotations), manager="kubectl-client-side-apply")
    with pytest.raises(ApplyConflict):
        applied(obj, config_map({"x": "2"}), manager="other")
    taken = applied(obj, config_map({"x": "2"}), manager="kubectl", now=T2)
    assert taken["data"] == {"x": "2"}
    annotation = taken["metadata"]["annotations"]["kubectl.kubernetes.io/last-applied-configuration"]
    assert annotation == '{"apiVersion":"v1","data":{"x":"2"},"kind":"ConfigMap","metadata":{"name":"a"}}\n'


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"metadata": {"managedFields": []}}, "managedFields must be nil"),
        ({"spec": {"nope": 1}}, ".spec.nope: field not declared in schema"),
        ({"spec": {"template": []}}, ".spec.template: expected map, got"),
        (
            {"spec": {"template": {"spec": {"containers": [{"name": "a"}, {"name": "a"}]}}}},
            r'duplicate entries for key \[name="a"\]',
        ),
        ({"spec": {"template": {"spec": {"containers": ["a"]}}}}, "non-map elements"),
    ],
)
def test_what_cannot_be_applied(config, message):
    with pytest.raises(ApplyError, match=message):
        apply(None, config, DEPLOYMENT, manager="m", api_version="apps/v1", now=T1)


def test_custom_kinds_merge_by_their_schema():
    schema = {
        "type": "object",
        "properties": {
            "spec": {
                "type": "object",
                "properties": {
                    "set": {"type": "array", "items": {"type": "string"}, "x-kubernetes-list-type": "set"},
                    "list": {"type": "array", "items": {"type": "string"}},
                    "atom": {
                        "type": "object",
                        "additionalProperties": {"type": "string"},
                        "x-kubernetes-map-type": "atomic",
                    },
                },
            }
        },
    }

    def write(live, spec, manager):
        config = {"apiVersion": "g/v1", "kind": "K", "metadata": {"name": "a", "finalizers": [manager]}, "spec": spec}
        return apply(live, config, schema, manager=manager, api_version="g/v1", now=T1)

    obj = write(None, {"set": ["a", "b"], "list": ["x"]}, "m")
    obj = write(obj, {"set": ["b", "c"], "atom": {"k": "v"}}, "n")
    assert sorted(obj["spec"]["set"]) == ["a", "b", "c"]
    assert sorted(obj["metadata"]["finalizers"]) == ["m", "n"]
    assert owners(obj)["n", "Apply"]["f:spec"] == {"f:atom": {}, "f:set": {'v:"b"': {}, 'v:"c"': {}}}
    with pytest.raises(ApplyConflict, match=r"\.spec\.list"):
        write(obj, {"list": ["y"]}, "n")
    left = write(obj, {"list": ["x"]}, "m")
    assert sorted(left["spec"]["set"]) == ["b", "c"]


def test_without_a_schema_maps_merge_and_lists_are_whole():
    obj = apply(None, {"spec": {"a": {"b": 1}, "l": [1]}}, None, manager="m", api_version="g/v1", now=T1)
    obj = apply(obj, {"spec": {"a": {"c": 2}}}, None, manager="n", api_version="g/v1", now=T1)
    assert obj["spec"] == {"a": {"b": 1, "c": 2}, "l": [1]}


def test_many_updaters_become_one():
    obj = config_map({})
    obj = updated(None, {**obj, "data": {"k": "v"}}, manager="first")
    for number in range(14):
        new = {**obj, "data": {**obj["data"], f"k{number:02}": "v"}}
        obj = updated(obj, new, manager=f"u{number:02}", now=f"2026-11-24T03:01:{number:02}Z")
    entries = obj["metadata"]["managedFields"]
    assert len(entries) == 10
    assert entries[0]["manager"] == "ancient-changes"
    assert "f:k" in entries[0]["fieldsV1"]["f:data"]


def test_a_misfit_names_the_object_as_go_does():
    with pytest.raises(ApplyError) as caught:
        applied(None, {**config_map({}), "zz": 1})
    expected = "failed to create typed patch object (/a; /v1, Kind=ConfigMap): .zz: field not declared in schema"
    assert str(caught.value) == expected
    assert caught.value.code == 500
