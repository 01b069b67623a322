"""What is still under way when the broker's time to stop is over: it is cut off, and told so."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

from api.entry.answer import Receive, Scope, Send, problem
from rules.errors import STOPPING, Problem

_HARMLESS: Final = frozenset({"GET", "HEAD", "OPTIONS"})


def cut_off(method: str) -> Problem:
    """Return what somebody is told whose request was cut off. Only of reading is it sure what was done."""
    if method in _HARMLESS:
        return Problem(STOPPING, "The broker stopped before it could answer; ask again in a moment.")
    return Problem(
        STOPPING,
        "The broker stopped before it could answer. What was asked for may have been done; look, or send it "
        "again with the same Idempotency-Key.",
        extra={"outcome": "unknown"},
    )


def answering_at_the_stop(
    app: Callable[[Scope, Receive, Send], Awaitable[None]],
) -> Callable[[Scope, Receive, Send], Awaitable[None]]:
    """Return the application, whose requests are answered also where the server cancels them at its stop."""

    async def answering(scope: Scope, receive: Receive, send: Send) -> None:
        begun = False

        async def noting(message: MutableMapping[str, Any]) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await app(scope, receive, noting)
        except asyncio.CancelledError:
            if begun:
                raise
            await problem(cut_off(scope["method"])).send(send)

    return answering
