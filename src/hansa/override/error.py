"""What goes wrong when an override is applied."""

from __future__ import annotations


class OverrideError(Exception):
    """An overrider cannot be applied to the object. The message says which part of which overrider."""
