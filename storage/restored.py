"""What a backup of another PostgreSQL server brought, made to fit the one it is on now.

Transactions are numbered by the server, and the feeds go by these numbers: those of another one may lie in
this one's future, where a feed would wait for it.
"""

from typing import Any, Final

from sqlalchemy import BigInteger, Connection, Row, Text, cast, func, select, tuple_, update

from storage.alerts import NOTIFICATION
from storage.offsets import OFFSETS
from storage.sql import is_postgres

FEEDER: Final = "alerts"
"""The role whose `last` is a place in the feed of all workspaces: (0, transaction, number)."""


def settle_restored(connection: Connection) -> None:
    """Put what came from another server before all that this one will tell, in the order of its numbers.

    Whoever reads the feed goes on where it was: what it was not told yet stays behind its place.
    """
    if not is_postgres(connection):
        return
    # in one statement: what it sees was numbered before the number it takes for the next one
    ahead = connection.execute(
        select(
            func.greatest(
                select(func.max(NOTIFICATION.c.xid)).scalar_subquery(),
                select(func.max(OFFSETS.c.last_offset)).where(OFFSETS.c.role == FEEDER).scalar_subquery(),
            )
            >= cast(cast(func.pg_snapshot_xmax(func.pg_current_snapshot()), Text), BigInteger)
        )
    ).scalar()
    if not ahead:
        return
    readers = list(connection.execute(select(OFFSETS).where(OFFSETS.c.role == FEEDER)))
    for reader in readers:
        here = (OFFSETS.c.log == reader.log) & (OFFSETS.c.role == FEEDER)
        here &= OFFSETS.c.partition == reader.partition
        behind = _last_told(connection, reader)
        connection.execute(update(OFFSETS).where(here).values(last_offset=0, last_item=behind))
    connection.execute(update(NOTIFICATION).where(NOTIFICATION.c.xid != 0).values(xid=0))


def _last_told(connection: Connection, reader: Row[Any]) -> int:
    """Return the number up to which a reader was told everything."""
    place = tuple_(NOTIFICATION.c.xid, NOTIFICATION.c.seq)
    untold = select(func.min(NOTIFICATION.c.seq)).where(place > tuple_(reader.last_offset, reader.last_item))
    first = connection.execute(untold).scalar()
    return int(reader.last_item if first is None else min(reader.last_item, first - 1))
