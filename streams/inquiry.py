"""What the store answers on behalf of everybody in this process who waits."""

from collections.abc import Sequence

from sqlalchemy import Connection

from storage import offsets, writes
from storage.store import Store
from streams.awaiting import on_loop
from streams.receipts import Ask, Told


def asking(store: Store, log: str) -> Ask:
    """Return the question that `Receipts` puts to the store, for the log of this identity."""

    async def ask(write_ids: Sequence[str]) -> Told:
        def body(c: Connection) -> Told:
            places = [place for place in offsets.places(c, log) if place.role == "persist"]
            return Told(writes.among(c, write_ids), [(place.partition, place.next) for place in places])

        return await on_loop(store.read(body))

    return ask
