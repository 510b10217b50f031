"""Definitions in members carry a revision that moves with them."""

from __future__ import annotations

import hashlib

import msgspec

from hansa.api import scheme
from hansa.service.definitions import REVISION, definition_of

DIGESTS = {1: "c54a94ff09713d24"}
"""Of each revision so far: definitions that change need a new one, or members keep the old."""


def test_the_revision_moves_with_the_definitions() -> None:
    found = [definition_of(resource)["spec"] for resource in (scheme.SERVICE_EXPORTS, scheme.SERVICE_IMPORTS)]
    digest = hashlib.sha256(msgspec.json.encode(found, order="deterministic")).hexdigest()[:16]
    assert DIGESTS[REVISION] == digest
