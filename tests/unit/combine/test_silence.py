"""What a Lease says of a cluster that is not heard."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from hansa.api import names
from hansa.api.item import Item
from hansa.api.meta import Json
from hansa.combine.silence import heard_patch, lease_document, silence_of, silent_patch, silent_seconds

HEARD = datetime(2026, 1, 2, 3, 4, 5, 678, UTC)


def lease(seconds: float = 0.0) -> Item:
    return Item.of(lease_document("c1", HEARD, seconds))


def merged(item: Item, patch: Json) -> Item:
    """As an API server merges it."""
    document = item.json()
    for key, value in patch["metadata"].get("annotations", {}).items():
        document["metadata"]["annotations"][key] = value
    annotations = {k: v for k, v in document["metadata"]["annotations"].items() if v is not None}
    document["metadata"]["annotations"] = annotations
    document["spec"] |= patch.get("spec", {})
    return Item.of(document)


@pytest.mark.parametrize(
    ("seconds", "limit", "stale"), [(59.9, 60, False), (60, 60, True), (1e9, 0, False), (0, 0, False)]
)
def test_it_is_stale_when_enough_is_counted(seconds: float, limit: float, stale: bool) -> None:
    found = silence_of(lease(seconds), limit)
    assert found and (found.since, found.stale) == ("2026-01-02T03:04:05Z", stale)
    assert ("withdrawn" in str(found)) is stale


def test_who_is_heard_is_not_silent() -> None:
    assert silence_of(None, 60) is None
    heard = merged(lease(100), heard_patch(lease(100), datetime(2026, 2, 1, tzinfo=UTC)))
    assert silence_of(heard, 60) is None and silent_seconds(heard) is None
    again = merged(heard, silent_patch(heard, 30, HEARD))
    assert silence_of(again, 60) == silence_of(lease(30), 60)


def test_counting_on_keeps_when_it_began() -> None:
    found = silence_of(merged(lease(10), silent_patch(lease(10), 90)), 60)
    assert found and (found.since, found.stale) == ("2026-01-02T03:04:05Z", True)


@pytest.mark.parametrize("text", ["", "-1", "1e9", "nan", "inf", "a day"])
def test_what_somebody_has_broken_counts_for_nothing(text: str) -> None:
    document = lease().json()
    document["metadata"]["annotations"][names.SILENT_ANNOTATION] = text
    found = silence_of(Item.of(document), 60)
    assert found is not None and not found.stale
