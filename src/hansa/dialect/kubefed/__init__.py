"""The KubeFed dialect: FederatedX in front of the binding, its status behind it."""

from __future__ import annotations

from hansa.dialect.kubefed.controllers import controllers
from hansa.dialect.kubefed.hub import Hub, Options

__all__ = ["Hub", "Options", "controllers"]
