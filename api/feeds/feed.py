"""Alerts as they come: the stored notifications of a workspace, woken after each commit of judge."""

import asyncio
import re
from collections.abc import AsyncGenerator
from contextlib import suppress
from functools import partial
from typing import Final

from sqlalchemy import Connection

from rules.names import fold
from storage import alerts
from storage.alerts import FEED_START, FeedPlace, Told
from storage.store import Store
from streams.awaiting import on_loop

PAGE: Final = 200
PAGE_BYTES: Final = 256 * 1024

LOOK_EVERY: Final = 1.0
"""Seconds between looks where other processes raise alerts too: their word may be lost."""

_PLACE: Final = re.compile(r"([0-9]{1,19})\.([0-9]{1,19})", re.ASCII)

HELD_AGAIN: Final = 0.02
"""Seconds until a feed looks again at what waits for an earlier transaction's end."""


class AlertFeed:
    """Wakes the readers of a workspace's notifications. Lives on one loop.

    `shared`: alerts are raised by other processes too, and not all of them wake this one.
    """

    def __init__(self, store: Store, *, shared: bool = False) -> None:
        self._store = store
        self._longest = LOOK_EVERY if shared else float("inf")
        self._waiting: dict[str, set[asyncio.Event]] = {}
        self._turn = 0
        self._reading: dict[tuple[str, FeedPlace, int], asyncio.Task[tuple[list[Told], bool]]] = {}
        self._closed = False

    def close(self) -> None:
        """End every reader's stream."""
        self._closed = True
        self.wake(set(self._waiting))

    def wake(self, workspaces: set[str]) -> None:
        """Say that these workspaces (folded) have new notifications."""
        self._turn += 1
        for workspace in workspaces:
            for event in self._waiting.get(workspace, ()):
                event.set()

    async def place(self, workspace: str, last_id: str | None) -> FeedPlace:
        """Return where a reader begins: behind the notification it saw last, or at the end.

        Instead of a notification a reader that saw none may name the place where it began. One whose last
        notification is not known (any more) is given everything that is kept.
        """
        if not last_id:  # empty is what a browser sends nothing for
            return await on_loop(self._store.read(lambda c: alerts.feed_end(c, workspace)))
        begun = read_place(last_id)
        if begun is not None:
            return begun
        found = await on_loop(self._store.read(lambda c: alerts.feed_place(c, workspace, last_id)))
        return FEED_START if found is None else found

    async def follow(
        self, workspace: str, after: FeedPlace, patience: float
    ) -> AsyncGenerator[list[Told], None]:
        """Yield the notifications behind `after` as they come; an empty list after `patience` seconds."""
        woken = asyncio.Event()
        clock = asyncio.get_running_loop().time
        silent_at = clock() + patience
        waiting = self._waiting.setdefault(fold(workspace), set())
        waiting.add(woken)
        try:
            while not self._closed:
                woken.clear()
                page, held = await self._page(fold(workspace), after)
                if page:
                    after = page[-1].place
                    yield page
                elif clock() >= silent_at:
                    yield []
                else:
                    until = min(silent_at, clock() + (HELD_AGAIN if held else self._longest))
                    with suppress(TimeoutError):
                        async with asyncio.timeout_at(until):
                            await woken.wait()
                    continue
                silent_at = clock() + patience
        finally:
            waiting.discard(woken)
            if not waiting:
                self._waiting.pop(fold(workspace), None)

    async def _page(self, workspace: str, after: FeedPlace) -> tuple[list[Told], bool]:
        """Return what is behind a place, read once for all who wait there, after they were woken."""
        key = (workspace, after, self._turn)
        reading = self._reading.get(key)
        if reading is None:
            reading = asyncio.ensure_future(on_loop(self._store.read(partial(_page, workspace, after))))
            self._reading[key] = reading
            reading.add_done_callback(lambda _: self._reading.pop(key))
        # one who leaves must not take it from the others
        return await asyncio.shield(reading)


def show_place(place: FeedPlace) -> str:
    """Return a place in a list or a feed as readers are given it; `read_place` is the inverse."""
    return f"{place[0]}.{place[1]}"


def read_place(text: str) -> FeedPlace | None:
    """Return the place that `show_place` showed; None where the text is none. No id reads as a place."""
    found = _PLACE.fullmatch(text)
    if found is None or int(found[1]) >= 2**63 or int(found[2]) >= 2**63:
        return None
    return int(found[1]), int(found[2])


def _page(workspace: str, after: FeedPlace, connection: Connection) -> tuple[list[Told], bool]:
    return alerts.feed(connection, workspace, after, PAGE, PAGE_BYTES)
