import pytest

from hansa.base import names


@pytest.mark.parametrize(
    ("namespace", "name", "kind", "expected"),
    [
        ("default", "nginx", "Deployment", "nginx-687f7fb96f"),
        ("", "system:foo", "ClusterRole", "system.foo-5f7d88f69"),
        ("", "test", "Namespace", "test-69fd499b4c"),
        ("prod", "My-Cfg", "ConfigMap", "my-cfg-59f84487f"),
    ],
)
def test_work_names_are_karmadas(namespace, name, kind, expected):
    assert names.work_name(namespace, name, kind) == expected


def test_binding_names_and_reference_keys_are_karmadas():
    assert names.binding_name("system::tom", "ClusterRole") == "system..tom-clusterrole"
    assert names.reference_key("default", "nginx-deployment") == "5bdc5c4dcf"
    assert names.safe_encode(names.fnv1a32("ns-foorand")) == "b4978784"


def test_an_execution_namespace_names_its_cluster():
    assert names.cluster_of(names.execution_namespace("member1")) == "member1"
    assert names.cluster_of("default") is None


@pytest.mark.parametrize("name", ["a", "a-b", "0a"])
def test_good_labels(name):
    assert names.dns1123_label(name) == []


@pytest.mark.parametrize("name", ["", "A", "-a", "a-", "a.b", "a\n", "x" * 64])
def test_bad_labels(name):
    assert names.dns1123_label(name)


@pytest.mark.parametrize("name", ["example.com/a", "a", "A_b.c"])
def test_good_qualified_names(name):
    assert names.qualified_name(name) == []


@pytest.mark.parametrize("name", ["/a", "a/", "a/b/c", "UP.com/a", "x" * 64, "example.com/-a"])
def test_bad_qualified_names(name):
    assert names.qualified_name(name)


def test_suffixes_use_the_alphabet_of_generated_names():
    assert names.random_suffix(lambda: 0.999) == "99999"
    assert names.random_suffix(lambda: 0.0) == "bbbbb"
