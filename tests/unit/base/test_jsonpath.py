import pytest

from hansa.base.jsonpath import JsonPathError, find

POD = {
    "metadata": {"name": "a", "annotations": {"karmada.io/x.y": "1"}, "labels": {"app": "web"}},
    "spec": {
        "replicas": 3,
        "containers": [{"name": "c1", "image": "i1"}, {"name": "c2", "image": "i2", "ready": True}],
    },
    "status": {
        "conditions": [
            {"type": "Ready", "status": "True", "n": 2},
            {"type": "Synced", "status": "False", "n": 10},
            {"type": "Empty"},
        ]
    },
}


@pytest.mark.parametrize(
    ("path", "values"),
    [
        (".spec.replicas", [3]),
        ("spec.replicas", [3]),
        ("{.spec.replicas}", [3]),
        ("$.spec.replicas", [3]),
        (".spec['replicas']", [3]),
        (".spec.nothing.at.all", []),
        (".spec.containers[*].name", ["c1", "c2"]),
        (".spec.containers[0].name", ["c1"]),
        (".spec.containers[-1].name", ["c2"]),
        (".spec.containers[5].name", []),
        (".spec.containers[0:1].name", ["c1"]),
        (".spec.containers[1:].name", ["c2"]),
        (".spec.containers[0,1].image", ["i1", "i2"]),
        (".spec.containers.name", []),
        (r".metadata.annotations.karmada\.io/x\.y", ["1"]),
        (".metadata.annotations['karmada.io/x.y']", ["1"]),
        ('.status.conditions[?(@.type=="Ready")].status', ["True"]),
        (".status.conditions[?(@.type=='Ready')].status", ["True"]),
        ('.status.conditions[?(@.type != "Ready")].type', ["Synced", "Empty"]),
        (".status.conditions[?(@.n > 2)].type", ["Synced"]),
        (".status.conditions[?(@.status)].type", ["Ready", "Synced"]),
        (".spec.containers[?(@.ready==true)].name", ["c2"]),
        ("..image", ["i1", "i2"]),
        (".metadata.labels.*", ["web"]),
        ("", [POD]),
        (".", None),
    ],
)
def test_paths(path, values):
    if values is None:
        with pytest.raises(JsonPathError):
            find(path, POD)
    else:
        assert find(path, POD) == values


@pytest.mark.parametrize("path", [".a[", ".a[x]", ".a[?(@.b==)]", ".a[?(b)]", ".a[0", ".a..[[", ".a b"])
def test_unreadable_paths(path):
    with pytest.raises(JsonPathError, match="JSON path"):
        find(path, POD)
