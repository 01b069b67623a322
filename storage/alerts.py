"""Alerts and their notifications, as judge raised them."""

from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import BigInteger, Connection, FetchedValue, Index, Table, func, select, true, tuple_, update
from sqlmodel import Field, SQLModel

from rules.alerting.alert import Alert, Notification, alert_from_json
from rules.envelope import Origin
from rules.names import fold
from storage.sql import (
    NEVER_AGAIN,
    Big,
    Horizon,
    Row,
    Serial,
    Where,
    from_text,
    table,
    to_text,
    upsert,
)


class AlertRow(SQLModel, table=True):
    """`seq` orders alerts of one moment: those that the same commit of the log raised."""

    __tablename__ = "alert"
    __table_args__ = NEVER_AGAIN

    seq: int | None = Field(default=None, primary_key=True, sa_type=Serial)
    id: str = Field(unique=True)
    workspace: str
    rule: str
    state: str
    at: Big
    epoch: int
    partition: int
    offset: Big
    item: Big
    body: str


class NotificationRow(SQLModel, table=True):
    """`xid` is the number of the transaction that told it, 0 on SQLite; see `feed`."""

    __tablename__ = "notification"
    __table_args__ = NEVER_AGAIN

    seq: int | None = Field(default=None, primary_key=True, sa_type=Serial)
    xid: int = Field(sa_type=BigInteger, sa_column_kwargs={"server_default": FetchedValue()})
    id: str = Field(unique=True)
    workspace: str
    alert_id: str
    change: str
    at: Big
    body: str


PAGE_BYTES: Final = 16 * 1024 * 1024
PIECE_BYTES: Final = 4 * 1024 * 1024

ALERT = table(AlertRow)
NOTIFICATION = table(NotificationRow)
Index("alert_by_time", ALERT.c.workspace, ALERT.c.at, ALERT.c.seq)
Index("alert_by_origin", ALERT.c.partition, ALERT.c.offset, ALERT.c.item)
Index("notification_feed", NOTIFICATION.c.workspace, NOTIFICATION.c.xid, NOTIFICATION.c.seq)
Index("notification_feed_of_all", NOTIFICATION.c.xid, NOTIFICATION.c.seq)

FeedPlace = tuple[int, int]
"""A place in a workspace's feed: the transaction's number, and the notification's within all."""

FEED_START: Final = (0, 0)


class Raised(NamedTuple):
    """An alert with the origin of the record that opened it."""

    alert: Alert
    origin: Origin


class Told(NamedTuple):
    """A notification as it is kept: its place in the feed, and the alert as it was then."""

    place: FeedPlace
    id: str
    change: str
    at: int
    body: str


def keep(connection: Connection, raised: Sequence[Raised], told: Sequence[Notification]) -> None:
    """Keep alerts and notifications; those that are there already stay as they are.

    Their texts are made and handed over piece by piece: many rules may have matched one large record.
    """
    _insert(connection, ALERT, (_alert_row(one) for one in raised))
    _insert(connection, NOTIFICATION, (_notification_row(one) for one in told))


def _insert(connection: Connection, into: Table, rows: Iterator[dict[str, Any]]) -> None:
    statement = upsert(connection, into).on_conflict_do_nothing()
    piece: list[dict[str, Any]] = []
    size = 0
    for row in rows:
        piece.append(row)
        size += len(row["body"])
        if size > PIECE_BYTES:
            connection.execute(statement, piece)
            piece, size = [], 0
    if piece:
        connection.execute(statement, piece)


def _alert_row(raised: Raised) -> dict[str, Any]:
    alert, origin = raised
    return {
        "id": alert.id,
        "workspace": fold(alert.workspace),
        "rule": alert.rule,
        "state": alert.state,
        "at": alert.at,
        "epoch": origin.epoch,
        "partition": origin.partition,
        "offset": origin.offset,
        "item": origin.item,
        "body": to_text(alert.to_json()),
    }


def _notification_row(one: Notification) -> dict[str, Any]:
    return {
        "id": one.id,
        "workspace": fold(one.alert.workspace),
        "alert_id": one.alert.id,
        "change": one.change,
        "at": one.at,
        "body": to_text(one.alert.to_json()),
    }


def find(connection: Connection, workspace: str, alert_id: str) -> Alert | None:
    """Return an alert of the workspace."""
    where = (ALERT.c.workspace == fold(workspace)) & (ALERT.c.id == alert_id)
    row = connection.execute(select(ALERT).where(where)).mappings().first()
    return None if row is None else _alert(row)


def replace(connection: Connection, alert: Alert) -> None:
    """Keep an alert as it is now (acknowledged)."""
    changed = {"state": alert.state, "body": to_text(alert.to_json())}
    connection.execute(update(ALERT).where(ALERT.c.id == alert.id).values(changed))


class Wanted(NamedTuple):
    """Which alerts to list: newest first; `after` is where the page before ended, as `Page.next` gave it."""

    workspace: str
    rule: str | None = None
    state: str | None = None
    begin: int | None = None
    end: int | None = None
    after: tuple[int, int] | None = None
    limit: int = 100


class Page(NamedTuple):
    """Alerts, and where the next page begins (at, seq); None where there is none."""

    alerts: list[Alert]
    next: tuple[int, int] | None


def listing(connection: Connection, wanted: Wanted) -> Page:
    """Return a page of alerts, newest first: at most `limit`, and about 16 MB, but one where there is one."""
    sizes = select(ALERT.c.seq, ALERT.c.at, func.length(ALERT.c.body).label("size")).where(*_meant(wanted))
    order = (ALERT.c.at.desc(), ALERT.c.seq.desc())
    shown: list[tuple[int, int]] = []
    left, more = PAGE_BYTES, False
    for seq, at, size in connection.execute(sizes.order_by(*order).limit(wanted.limit + 1)):
        if len(shown) == wanted.limit or (shown and size > left):
            more = True
            break
        shown.append((at, seq))
        left -= size
    rows = connection.execute(
        select(ALERT).where(ALERT.c.seq.in_([seq for _, seq in shown])).order_by(*order)
    )
    return Page([_alert(row) for row in rows.mappings()], shown[-1] if more else None)


def _meant(wanted: Wanted) -> list[Where]:
    conditions: list[Where] = [ALERT.c.workspace == fold(wanted.workspace)]
    if wanted.rule is not None:
        conditions.append(ALERT.c.rule == wanted.rule)
    if wanted.state is not None:
        conditions.append(ALERT.c.state == wanted.state)
    if wanted.begin is not None:
        conditions.append(ALERT.c.at >= wanted.begin)
    if wanted.end is not None:
        conditions.append(ALERT.c.at <= wanted.end)
    if wanted.after is not None:
        at, seq = wanted.after
        conditions.append((ALERT.c.at < at) | ((ALERT.c.at == at) & (ALERT.c.seq < seq)))
    return conditions


def raised_by(connection: Connection, first: Origin, items: int) -> list[str]:
    """Return the ids of the alerts that so many records from an origin on opened, 1,000 at most."""
    where = (ALERT.c.partition == first.partition) & (ALERT.c.offset == first.offset)
    where &= ALERT.c.epoch == first.epoch
    inside = (ALERT.c.item >= first.item) & (ALERT.c.item < first.item + items)
    return list(connection.execute(select(ALERT.c.id).where(where & inside).limit(1000)).scalars())


def feed(
    connection: Connection, workspace: str, after: FeedPlace, limit: int, size: int
) -> tuple[list[Told], bool]:
    """Return the notifications of a workspace behind a place in the feed, oldest first.

    At most `limit`, and about `size` bytes, but one where there is one. Of two transactions the later
    number may commit first, and a reader that went on behind it would miss the other (seen). So the feed
    is in the order of (transaction, number), and nothing is told that an earlier transaction could still
    come before. Where nothing is told, the second value says whether something waits for that.
    """
    return _behind(connection, NOTIFICATION.c.workspace == fold(workspace), after, limit, size)


def feed_of_all(connection: Connection, after: FeedPlace, limit: int, size: int) -> tuple[list[Told], bool]:
    """Return the notifications of all workspaces behind a place in the feed, as `feed` does of one."""
    return _behind(connection, true(), after, limit, size)


def _behind(
    connection: Connection, whose: Where, after: FeedPlace, limit: int, size: int
) -> tuple[list[Told], bool]:
    place = tuple_(NOTIFICATION.c.xid, NOTIFICATION.c.seq)
    behind = whose & (place > tuple_(*after))
    settled = behind & (NOTIFICATION.c.xid < Horizon())
    order = (NOTIFICATION.c.xid, NOTIFICATION.c.seq)
    sizes = select(*order, func.length(NOTIFICATION.c.body)).where(settled).order_by(*order).limit(limit)
    last: FeedPlace | None = None
    left = size
    for xid, seq, length in connection.execute(sizes):
        if last is not None and length > left:
            break
        last, left = (xid, seq), left - length
    if last is None:
        held = select(NOTIFICATION.c.seq).where(behind & (NOTIFICATION.c.xid >= Horizon())).limit(1)
        return [], connection.execute(held).first() is not None
    columns = (NOTIFICATION.c.id, NOTIFICATION.c.change, NOTIFICATION.c.at, NOTIFICATION.c.body)
    query = select(*order, *columns).where(settled & (place <= tuple_(*last))).order_by(*order)
    return [Told((xid, seq), *rest) for xid, seq, *rest in connection.execute(query)], False


def feed_end(connection: Connection, workspace: str) -> FeedPlace:
    """Return the place of the last notification of a workspace that its feed tells now."""
    settled = (NOTIFICATION.c.workspace == fold(workspace)) & (NOTIFICATION.c.xid < Horizon())
    newest = (NOTIFICATION.c.xid.desc(), NOTIFICATION.c.seq.desc())
    query = select(NOTIFICATION.c.xid, NOTIFICATION.c.seq).where(settled).order_by(*newest).limit(1)
    row = connection.execute(query).first()
    return FEED_START if row is None else (row.xid, row.seq)


def feed_place(connection: Connection, workspace: str, notification_id: str) -> FeedPlace | None:
    """Return the place of a notification in its workspace's feed; None where it is not known (any more)."""
    where = (NOTIFICATION.c.workspace == fold(workspace)) & (NOTIFICATION.c.id == notification_id)
    row = connection.execute(select(NOTIFICATION.c.xid, NOTIFICATION.c.seq).where(where)).first()
    return None if row is None else (row.xid, row.seq)


def _alert(row: Row) -> Alert:
    return alert_from_json(from_text(row["body"]))
