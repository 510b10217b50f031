"""The Karmada dialect: plain templates and policies in front of the binding, templates' status behind it."""

from __future__ import annotations

from hansa.dialect.karmada.controllers import controllers
from hansa.dialect.karmada.hub import Hub, Options

__all__ = ["Hub", "Options", "controllers"]
