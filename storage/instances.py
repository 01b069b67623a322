"""What rules remember of each value of their key."""

from collections.abc import Collection, Iterable
from typing import Final, NamedTuple

from sqlalchemy import Connection, Index, delete, func, select, tuple_
from sqlmodel import Field, SQLModel

from rules.alerting.instance import Instance
from rules.names import fold
from storage.sql import Big, Row, from_text, table, to_text, upsert

InstanceKey = tuple[str, str, bytes]
"""Workspace (folded), rule id, and what `instance_key` makes of the values."""

_TOGETHER: Final = 300


class InstanceRow(SQLModel, table=True):
    __tablename__ = "instance"

    workspace: str = Field(primary_key=True)
    rule: str = Field(primary_key=True)
    key: bytes = Field(primary_key=True)
    named: str
    shown: str
    last_fired: Big
    last_alert: str
    fired: Big


INSTANCE = table(InstanceRow)
Index("instance_by_age", INSTANCE.c.workspace, INSTANCE.c.rule, INSTANCE.c.last_fired)


def find(connection: Connection, keys: Collection[InstanceKey]) -> dict[InstanceKey, Instance]:
    """Return those of the instances that are remembered."""
    wanted = list(keys)
    found: dict[InstanceKey, Instance] = {}
    columns = tuple_(INSTANCE.c.workspace, INSTANCE.c.rule, INSTANCE.c.key)
    for start in range(0, len(wanted), _TOGETHER):
        query = select(INSTANCE).where(columns.in_(wanted[start : start + _TOGETHER]))
        for row in connection.execute(query).mappings():
            found[row["workspace"], row["rule"], row["key"]] = _instance(row)
    return found


def listing(connection: Connection, workspace: str, rule: str, limit: int) -> list[Instance]:
    """Return a rule's instances, those that fired last first."""
    where = (INSTANCE.c.workspace == fold(workspace)) & (INSTANCE.c.rule == rule)
    query = select(INSTANCE).where(where).order_by(INSTANCE.c.last_fired.desc(), INSTANCE.c.key).limit(limit)
    return [_instance(row) for row in connection.execute(query).mappings()]


class Fired(NamedTuple):
    """How often a rule raised an alert, of all values of its key that are remembered, and when last (ns)."""

    times: int
    last: int


def fired(connection: Connection, workspace: str, rule: str | None = None) -> dict[str, Fired]:
    """Return by id how often the rules of a workspace, or one of them, raised an alert, where they did."""
    where = INSTANCE.c.workspace == fold(workspace)
    if rule is not None:
        where &= INSTANCE.c.rule == rule
    times, last = func.sum(INSTANCE.c.fired), func.max(INSTANCE.c.last_fired)
    query = select(INSTANCE.c.rule, times, last).where(where).group_by(INSTANCE.c.rule)
    return {row[0]: Fired(int(row[1]), row[2]) for row in connection.execute(query)}


def forget(connection: Connection, workspace: str, rule: str, until: int, most: int) -> int:
    """Forget a rule's instances that fired last before this time (ns), `most` of them; return how many."""
    mine = (INSTANCE.c.workspace == fold(workspace)) & (INSTANCE.c.rule == rule)
    old = select(INSTANCE.c.key).where(mine & (INSTANCE.c.last_fired < until)).limit(most)
    return connection.execute(delete(INSTANCE).where(mine & INSTANCE.c.key.in_(old))).rowcount


def _instance(row: Row) -> Instance:
    return Instance(
        row["named"],
        row["rule"],
        row["key"],
        from_text(row["shown"]),
        row["last_fired"],
        row["last_alert"],
        row["fired"],
    )


def keep(connection: Connection, instances: Iterable[Instance]) -> None:
    """Remember the instances."""
    rows = [
        {
            "workspace": fold(instance.workspace),
            "rule": instance.rule,
            "key": instance.key,
            "named": instance.workspace,
            "shown": to_text(dict(instance.values)),
            "last_fired": instance.last_fired,
            "last_alert": instance.last_alert,
            "fired": instance.fired,
        }
        for instance in instances
    ]
    if rows:
        statement = upsert(connection, INSTANCE)
        changed = {name: statement.excluded[name] for name in ("shown", "last_fired", "last_alert", "fired")}
        connection.execute(
            statement.on_conflict_do_update(index_elements=["workspace", "rule", "key"], set_=changed), rows
        )
