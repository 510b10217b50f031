"""Ask the chain of interpreters, and whom it refers to."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from hansa.interpret.error import InterpretError
from hansa.interpret.native import native
from hansa.interpret.question import Answer, Ask, Chain, Question

Outside = Callable[[Ask], Awaitable[Answer]]
"""Calls an interpreter webhook. Raises InterpretError."""

_BUILT_IN = Chain((native,))


@dataclass(frozen=True, slots=True)
class Interpreter:
    chain: Chain = _BUILT_IN
    outside: Outside | None = None

    async def ask(self, question: Question) -> Answer | None:
        """None when nothing is known of the kind. Raises InterpretError."""
        found = self.chain.answer(question)
        if not isinstance(found, Ask):
            return found
        if self.outside is None:
            raise InterpretError(f"interpreter webhook {found.target} cannot be called from here")
        return await self.outside(found)
