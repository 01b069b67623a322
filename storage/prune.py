"""What is forgotten once it is old, in steps: each a short transaction, bounded in rows and in bytes.

Every step returns how many rows it took; none are left where that is 0.
"""

from typing import Final

from sqlalchemy import Connection, Table, delete, func, select

from rules.alerting.rule import Rule
from storage import rules
from storage.alerts import ALERT, NOTIFICATION
from storage.deliveries import ATTEMPT, DELIVERY
from storage.instances import INSTANCE, forget

STEP: Final = 500
STEP_BYTES: Final = 8 * 1024 * 1024
MOST_RULES: Final = 1_000


def alerts_before(connection: Connection, before: int) -> int:
    """Forget the oldest alerts raised before this time (ns)."""
    old = _oldest(connection, ALERT, before)
    connection.execute(delete(ALERT).where(ALERT.c.seq.in_(old)))
    return len(old)


def notifications_before(connection: Connection, before: int) -> int:
    """Forget the oldest notifications from before this time (ns), with their deliveries and attempts."""
    old = _oldest(connection, NOTIFICATION, before)
    ids = list(connection.execute(select(NOTIFICATION.c.id).where(NOTIFICATION.c.seq.in_(old))).scalars())
    for table in (DELIVERY, ATTEMPT):
        connection.execute(delete(table).where(table.c.notification_id.in_(ids)))
    connection.execute(delete(NOTIFICATION).where(NOTIFICATION.c.seq.in_(old)))
    return len(old)


def _oldest(connection: Connection, table: Table, before: int) -> list[int]:
    """Return the first rows of a feed, as far as all are old: they lie in the order of their commits."""
    first = select(table.c.seq, table.c.at, func.length(table.c.body)).order_by(table.c.seq).limit(STEP)
    old: list[int] = []
    left = STEP_BYTES
    for seq, at, size in connection.execute(first):
        if at >= before or (old and size > left):
            break
        old.append(seq)
        left -= size
    return old


def instances_old(connection: Connection, now: int, kept: int, deleted: int) -> list[tuple[str, str, int]]:
    """Return (workspace, rule, until when) of rules with instances to be forgotten, 1,000 at most.

    An instance goes `kept` ns after it fired last, but never within its rule's cooldown: it alone knows of
    that. Those of a deleted rule go `deleted` ns after its deletion. Reads only.
    """
    oldest = (
        select(INSTANCE.c.workspace, INSTANCE.c.rule, func.min(INSTANCE.c.last_fired))
        .group_by(INSTANCE.c.workspace, INSTANCE.c.rule)
        .order_by(func.min(INSTANCE.c.last_fired))
    )
    found = []
    for workspace, rule, first in connection.execute(oldest):
        until = _until(rules.latest(connection, workspace, rule), now, kept, deleted)
        if first < until:
            found.append((workspace, rule, until))
        if len(found) == MOST_RULES:
            break
    return found


def instances_until(connection: Connection, workspace: str, rule: str, until: int) -> int:
    """Forget a rule's instances that fired last before this time (ns)."""
    return forget(connection, workspace, rule, until, STEP)


def _until(rule: Rule | None, now: int, kept: int, deleted: int) -> int:
    if rule is None or (rule.state == "deleted" and rule.updated_at < now - deleted):
        return now
    return now - max(kept, rule.cooldown_ns)
