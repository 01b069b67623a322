"""Deliveries owed to subscriptions, and every attempt at one."""

from collections.abc import Collection, Iterable
from typing import Any, Final, NamedTuple

from sqlalchemy import (
    BigInteger,
    Connection,
    Index,
    Select,
    bindparam,
    delete,
    func,
    select,
    tuple_,
    update,
)
from sqlmodel import Field, SQLModel

from rules.alerting.delivery import RETRY_SECONDS, longest_wait
from storage.alerts import NOTIFICATION
from storage.sql import Big, table, upsert
from storage.subscriptions import SUBSCRIPTION


class DeliveryRow(SQLModel, table=True):
    """`due_at` is None once there is nothing more to try; `state` then says how it ended.

    Where several couriers share the table, `owner` has it until `held_until` (ns).
    """

    __tablename__ = "delivery"

    notification_id: str = Field(primary_key=True)
    subscription_id: str = Field(primary_key=True)
    due_at: int | None = Field(default=None, sa_type=BigInteger)
    attempt: int
    state: str
    owner: int | None = Field(default=None, sa_type=BigInteger)
    held_until: int | None = Field(default=None, sa_type=BigInteger)


class AttemptRow(SQLModel, table=True):
    __tablename__ = "delivery_attempt"

    notification_id: str = Field(primary_key=True)
    subscription_id: str = Field(primary_key=True)
    attempt: int = Field(primary_key=True)
    at: Big
    status: int | None
    error: str | None
    next_at: int | None = Field(default=None, sa_type=BigInteger)


DELIVERY = table(DeliveryRow)
ATTEMPT = table(AttemptRow)
AGAIN: Final = "again"
Index("delivery_due", DELIVERY.c.due_at)
Index("delivery_of", DELIVERY.c.subscription_id, DELIVERY.c.due_at)


class Owed(NamedTuple):
    """A delivery that is due, with all that an attempt needs."""

    notification_id: str
    subscription_id: str
    attempt: int
    workspace: str
    url: str
    secret: str
    change: str
    at: int
    body: str


class Tried(NamedTuple):
    """How an attempt ended."""

    notification_id: str
    subscription_id: str
    attempt: int
    at: int
    status: int | None
    error: str | None
    state: str
    next_at: int | None


def owe(connection: Connection, owed: Iterable[tuple[str, str]], due_at: int) -> None:
    """Note that notifications are owed to subscriptions, as (notification, subscription)."""
    rows = [
        {"notification_id": n, "subscription_id": s, "due_at": due_at, "attempt": 0, "state": "due"}
        for n, s in owed
    ]
    if rows:
        connection.execute(upsert(connection, DELIVERY).on_conflict_do_nothing(), rows)


class Hold(NamedTuple):
    """By what right one of several couriers attempts deliveries: who it is, and until when (ns)."""

    owner: int
    until: int


class _Known(NamedTuple):
    """How a delivery stands."""

    attempt: int
    state: str
    due_at: int | None


_FREE: Final = {"owner": None, "held_until": None}
_SETTLE: Final = (
    update(DELIVERY)
    .where((DELIVERY.c.notification_id == bindparam("of")) & (DELIVERY.c.subscription_id == bindparam("to")))
    .values(
        attempt=bindparam("now_attempt"), state=bindparam("now_state"), due_at=bindparam("now_due"), **_FREE
    )
)


def due(connection: Connection, now: int, limit: int, busy: Collection[str]) -> list[Owed]:
    """Return what is due, the longest due first, leaving out busy and disabled subscriptions."""
    return [Owed(*row) for row in connection.execute(_due(now, limit, busy))]


def held(connection: Connection, hold: Hold, now: int, limit: int, busy: Collection[str]) -> list[Owed]:
    """Return what is due as `due` does, without what others hold, and have it held by this courier.

    What others are about to hold is passed over and not waited for.
    """
    mine = DELIVERY.c.owner == hold.owner
    free = mine | DELIVERY.c.held_until.is_(None) | (DELIVERY.c.held_until <= now)
    query = _due(now, limit, busy).where(free).with_for_update(of=DELIVERY, skip_locked=True)
    query = query.add_columns(DELIVERY.c.owner, DELIVERY.c.held_until)
    found: list[Owed] = []
    taken: list[tuple[str, str]] = []
    for *row, owner, until in connection.execute(query):
        found.append(Owed(*row))
        if owner != hold.owner or until < (now + hold.until) // 2:  # long before it is over
            taken.append((found[-1].notification_id, found[-1].subscription_id))
    if taken:
        these = tuple_(DELIVERY.c.notification_id, DELIVERY.c.subscription_id).in_(taken)
        values = {"owner": hold.owner, "held_until": hold.until}
        connection.execute(update(DELIVERY).where(these).values(values))
    return found


def let_go(connection: Connection, owner: int) -> None:
    """Leave what a courier holds to the others."""
    connection.execute(update(DELIVERY).where(DELIVERY.c.owner == owner).values(_FREE))


def _due(now: int, limit: int, busy: Collection[str]) -> Select[Any]:
    query = (
        select(
            DELIVERY.c.notification_id,
            DELIVERY.c.subscription_id,
            DELIVERY.c.attempt,
            SUBSCRIPTION.c.named,
            SUBSCRIPTION.c.url,
            SUBSCRIPTION.c.secret,
            NOTIFICATION.c.change,
            NOTIFICATION.c.at,
            NOTIFICATION.c.body,
        )
        .join(SUBSCRIPTION, SUBSCRIPTION.c.id == DELIVERY.c.subscription_id)
        .join(NOTIFICATION, NOTIFICATION.c.id == DELIVERY.c.notification_id)
        .where((DELIVERY.c.due_at <= now) & SUBSCRIPTION.c.disabled.is_(None))
        .order_by(DELIVERY.c.due_at, NOTIFICATION.c.seq)
        .limit(limit)
    )
    return query.where(DELIVERY.c.subscription_id.not_in(busy)) if busy else query


def next_due(connection: Connection, now: int) -> int | None:
    """Return the earliest time after `now` at which something falls due."""
    query = (
        select(func.min(DELIVERY.c.due_at))
        .join(SUBSCRIPTION, SUBSCRIPTION.c.id == DELIVERY.c.subscription_id)
        .where((DELIVERY.c.due_at > now) & SUBSCRIPTION.c.disabled.is_(None))
    )
    return connection.execute(query).scalar()


def recall(connection: Connection, now: int) -> int:
    """Make due what is dated later than its schedule can have it, and return how many there were."""
    found = 0
    for attempt in range(len(RETRY_SECONDS) + 1):
        late = (DELIVERY.c.attempt == attempt) & (DELIVERY.c.due_at > now + longest_wait(attempt))
        found += connection.execute(update(DELIVERY).where(late).values(due_at=now)).rowcount
    return found


def settle(connection: Connection, tried: Iterable[Tried]) -> None:
    """Keep how attempts ended; twice is once. However many they are, three statements do."""
    given = list(tried)
    there = _locked(connection, {(one.notification_id, one.subscription_id) for one in given})
    changes: list[dict[str, Any]] = []
    attempts: list[dict[str, Any]] = []
    for one in given:
        key = one.notification_id, one.subscription_id
        known = there.get(key)
        if known is None or known.attempt >= one.attempt:
            continue
        # asked to be delivered again after this attempt began: it stays due
        asked = known.state == AGAIN and known.due_at is not None and known.due_at > one.at
        state, due_at = ("due", known.due_at) if asked else (one.state, one.next_at)
        there[key] = _Known(one.attempt, state, due_at)
        changes.append(
            {"of": key[0], "to": key[1], "now_attempt": one.attempt, "now_state": state, "now_due": due_at}
        )
        attempts.append({name: value for name, value in one._asdict().items() if name != "state"})
    if changes:
        connection.execute(_SETTLE, changes)
        connection.execute(upsert(connection, ATTEMPT).on_conflict_do_nothing(), attempts)


def _locked(connection: Connection, keys: Collection[tuple[str, str]]) -> dict[tuple[str, str], _Known]:
    """Return deliveries as they stand, by (notification, subscription), locked for this transaction."""
    mine = tuple_(DELIVERY.c.notification_id, DELIVERY.c.subscription_id)
    query = (
        select(*mine.clauses, DELIVERY.c.attempt, DELIVERY.c.state, DELIVERY.c.due_at)
        .where(mine.in_(sorted(keys)))
        .with_for_update()
    )
    return {(row[0], row[1]): _Known(row.attempt, row.state, row.due_at) for row in connection.execute(query)}


def again(connection: Connection, notification_id: str, subscription_id: str, now: int) -> bool:
    """Make a delivery due now; False where the subscription was never owed this notification."""
    where = (DELIVERY.c.notification_id == notification_id) & (DELIVERY.c.subscription_id == subscription_id)
    changed = connection.execute(update(DELIVERY).where(where).values(due_at=now, state=AGAIN))
    return changed.rowcount == 1


def attempts(connection: Connection, subscription_id: str, limit: int) -> list[dict[str, Any]]:
    """Return a subscription's latest attempts and what waits for its first, newest first."""
    columns = (
        NOTIFICATION.c.alert_id,
        DELIVERY.c.notification_id,
        DELIVERY.c.state,
        DELIVERY.c.due_at,
        ATTEMPT.c.attempt,
        ATTEMPT.c.at,
        ATTEMPT.c.status,
        ATTEMPT.c.error,
        ATTEMPT.c.next_at,
    )
    same = (ATTEMPT.c.notification_id == DELIVERY.c.notification_id) & (
        ATTEMPT.c.subscription_id == DELIVERY.c.subscription_id
    )
    query = (
        select(*columns)
        .select_from(DELIVERY)
        .join(NOTIFICATION, NOTIFICATION.c.id == DELIVERY.c.notification_id)
        .outerjoin(ATTEMPT, same)
        .where(DELIVERY.c.subscription_id == subscription_id)
        .order_by(NOTIFICATION.c.seq.desc(), ATTEMPT.c.attempt.desc())
        .limit(limit)
    )
    return [dict(row) for row in connection.execute(query).mappings()]


def waiting(connection: Connection) -> int:
    """Return how many deliveries wait for an attempt."""
    query = select(func.count()).select_from(DELIVERY).where(DELIVERY.c.due_at.is_not(None))
    return int(connection.execute(query).scalar_one())


def forget(connection: Connection, subscription_id: str) -> None:
    """Owe a subscription nothing any more."""
    for rows in (DELIVERY, ATTEMPT):
        connection.execute(delete(rows).where(rows.c.subscription_id == subscription_id))
