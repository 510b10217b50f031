"""What can go wrong when a kind's meaning is asked for."""

from __future__ import annotations


class InterpretError(Exception):
    """The object, or what somebody wrote about its kind, cannot be understood. The message says which part."""
