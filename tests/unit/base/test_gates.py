"""The `--feature-gates` grammar."""

from __future__ import annotations

import pytest

from hansa.base.gates import STAGES, Gates


def test_everything_is_on_unless_switched_off() -> None:
    assert all(Gates().enabled(name) for name in STAGES)
    gates = Gates.parse("PropagateDeps=false, WorkloadAffinity=true")
    assert not gates.enabled("PropagateDeps")
    assert gates.enabled("WorkloadAffinity")


def test_a_gate_that_is_named_wins_over_its_group() -> None:
    gates = Gates.parse("MultiClusterService=true,AllAlpha=false")
    assert gates.enabled("MultiClusterService")
    assert not gates.enabled("WorkloadAffinity")
    assert gates.enabled("PropagateDeps")


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("PropagateDeps", "missing bool value for PropagateDeps: write PropagateDeps=true or PropagateDeps=false"),
        (
            "PropagateDeps=maybe",
            "invalid value of PropagateDeps=maybe: write PropagateDeps=true or PropagateDeps=false",
        ),
        ("Unicorns=true", "unrecognized feature gate: Unicorns. Known are AllAlpha, AllBeta, "),
    ],
)
def test_bad_input_is_refused_with_the_way_out(text: str, wanted: str) -> None:
    with pytest.raises(ValueError, match="^" + wanted.replace(".", r"\.")):
        Gates.parse(text)


def test_an_unknown_gate_cannot_be_asked_about() -> None:
    with pytest.raises(KeyError):
        Gates().enabled("Unicorns")
