"""What the API server knows of a kind beyond its schema: defaults, checks, immutability, generation, columns, fields.

`rules_for(gvk)` is the one door; it never fails: kinds without rules of their own (custom resources too) get those that
hold for every object. Behaviour is that of kube-apiserver 1.37, and is compared with one.
"""

from __future__ import annotations

from hansa.apiserver.builtin.registry import rules_for, storage_gvk, to_storage, to_version
from hansa.apiserver.builtin.rules import Column, KindRules, WriteContext

__all__ = ["Column", "KindRules", "WriteContext", "rules_for", "storage_gvk", "to_storage", "to_version"]
