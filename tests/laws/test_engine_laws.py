"""What holds for every binding, template and member object."""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from hansa.api.cluster import Cluster
from hansa.api.item import Item
from hansa.api.meta import Key, ObjectMeta
from hansa.api.work import BindingSpec, BindingStatus
from hansa.interpret.convention import Origin
from hansa.interpret.convention.karmada import KARMADA
from hansa.interpret.native.prune import prune
from hansa.schedule import Fit, Request, Snapshot, schedule

NAMES = [f"m{index}" for index in range(1, 7)]
KINDS = ["Deployment", "Service", "Secret", "Job", "ServiceAccount", "ConfigMap", "PersistentVolumeClaim"]
words = st.text("abcxyz", min_size=1, max_size=5)
pairs = st.dictionaries(words, words, max_size=4)
leaves = st.none() | st.booleans() | st.integers(-5, 5) | words
trees = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3), max_leaves=8
)


@st.composite
def objects(draw: Any) -> dict[str, Any]:
    metadata = {
        "name": draw(words),
        "namespace": "default",
        "uid": "u",
        "labels": draw(pairs),
        "annotations": draw(pairs),
    }
    spec = draw(st.dictionaries(words, trees, max_size=3))
    if draw(st.booleans()):
        spec |= {"clusterIP": draw(words), "ttlSecondsAfterFinished": 3}
    return {
        "apiVersion": "v1",
        "kind": draw(st.sampled_from(KINDS)),
        "metadata": metadata,
        "spec": spec,
        "status": {"x": 1},
    }


@settings(max_examples=100)
@given(
    st.dictionaries(st.sampled_from(NAMES), st.integers(1, 9), min_size=1),
    st.integers(1, 200),
    st.sets(st.sampled_from(NAMES)),
    st.text("ab", max_size=3),
)
def test_shares_sum_to_replicas(weights: dict[str, int], replicas: int, tainted: set[str], uid: str) -> None:
    rules = [{"targetCluster": {"clusterNames": [name]}, "weight": weight} for name, weight in weights.items()]
    strategy = {
        "replicaSchedulingType": "Divided",
        "replicaDivisionPreference": "Weighted",
        "weightPreference": {"staticWeightList": rules},
    }
    resource = {"apiVersion": "v1", "kind": "Pod", "name": "x", "uid": uid}
    spec = msgspec.convert(
        {"resource": resource, "replicas": replicas, "placement": {"replicaScheduling": strategy}}, BindingSpec
    )
    taint = [{"key": "k", "effect": "NoSchedule"}]
    apis = [{"groupVersion": "v1", "resources": [{"name": "pods", "kind": "Pod"}]}]
    clusters = [
        msgspec.convert(
            {
                "metadata": {"name": name},
                "spec": {"taints": taint if name in tainted else []},
                "status": {"apiEnablements": apis},
            },
            Cluster,
        )
        for name in NAMES
    ]
    outcome = schedule(Request.of(spec, BindingStatus()), Snapshot.of(clusters))
    if len(tainted) == len(NAMES):
        assert not isinstance(outcome, Fit)
        return
    assert isinstance(outcome, Fit)
    assert sum(target.replicas for target in outcome.targets) == replicas
    assert not tainted & {target.name for target in outcome.targets}
    assert all(target.replicas > 0 for target in outcome.targets)


@settings(max_examples=100)
@given(objects())
def test_pruning_and_marking_are_idempotent(template: dict[str, Any]) -> None:
    assert prune(prune(template)) == prune(template)
    origin = Origin(Item.of(template).meta, ObjectMeta(name="b", namespace="default"), Key("karmada-es-m1", "w"), "id")
    marked = KARMADA.mark(template, origin)
    assert KARMADA.mark(template, origin) == marked
    assert KARMADA.mark(marked, origin) == marked


@settings(max_examples=100)
@given(objects(), pairs)
def test_what_was_written_needs_no_writing(template: dict[str, Any], theirs: dict[str, str]) -> None:
    """An object as the member stores it, with a stranger's labels on it, equals what would be written next."""
    origin = Origin(Item.of(template).meta, ObjectMeta(name="b", namespace="default"), Key("karmada-es-m1", "w"), "id")
    manifest = KARMADA.mark(template, origin)
    labels = {**{f"their-{key}": value for key, value in theirs.items()}, **manifest["metadata"]["labels"]}
    stored = {
        **manifest,
        "metadata": {**manifest["metadata"], "labels": labels, "resourceVersion": "1", "uid": "m", "generation": 1},
        "status": {"some": "thing"},
    }
    wanted = KARMADA.retain(manifest, stored, ObjectMeta())
    assert KARMADA.equal(wanted, stored)
    assert KARMADA.retain(manifest, wanted, ObjectMeta()) == wanted
