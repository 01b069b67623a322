"""Rules: every version of each, and which one each judge partition has in force.

A change is a row first (compare-and-set on the version), then a message on every partition of `events`;
until that is logged the row is `pending`. Versions of an id never start again, deletion is a version too.
"""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import Connection, func, select, update
from sqlmodel import Field, SQLModel

from rules.alerting.rule import Rule, rule_from_json
from rules.names import fold
from storage.revision import raise_revision
from storage.sql import Big, Row, from_text, table, to_text, upsert


class RuleRow(SQLModel, table=True):
    __tablename__ = "rule"

    workspace: str = Field(primary_key=True)
    id: str = Field(primary_key=True)
    version: int = Field(primary_key=True)
    named: str
    state: str
    definition: str
    pending: bool = Field(index=True)
    at: Big


class InForceRow(SQLModel, table=True):
    __tablename__ = "rule_in_force"

    log: str = Field(primary_key=True)
    partition: int = Field(primary_key=True)
    workspace: str = Field(primary_key=True)
    rule: str = Field(primary_key=True)
    version: int


RULE = table(RuleRow)
IN_FORCE = table(InForceRow)

_TOGETHER: Final = 500

_LATEST = (
    select(RULE.c.workspace, RULE.c.id, func.max(RULE.c.version).label("version"))
    .group_by(RULE.c.workspace, RULE.c.id)
    .subquery()
)
_CURRENT = select(RULE).join(
    _LATEST,
    (RULE.c.workspace == _LATEST.c.workspace)
    & (RULE.c.id == _LATEST.c.id)
    & (RULE.c.version == _LATEST.c.version),
)


def latest(connection: Connection, workspace: str, rule_id: str) -> Rule | None:
    """Return the latest version of a rule, a deletion included."""
    query = select(RULE).where((RULE.c.workspace == fold(workspace)) & (RULE.c.id == rule_id))
    row = connection.execute(query.order_by(RULE.c.version.desc()).limit(1)).mappings().first()
    return None if row is None else _rule(row)


def versions(connection: Connection, workspace: str, ids: Sequence[str]) -> list[Rule]:
    """Return every version of some rules, each rule's in their order, deletions included."""
    found: list[Rule] = []
    for start in range(0, len(ids), _TOGETHER):
        mine = (RULE.c.workspace == fold(workspace)) & RULE.c.id.in_(ids[start : start + _TOGETHER])
        rows = connection.execute(select(RULE).where(mine).order_by(RULE.c.version))
        found.extend(_rule(row) for row in rows.mappings())
    return found


def listing(connection: Connection, workspace: str | None = None) -> list[Rule]:
    """Return the rules there are, in their latest version, by id."""
    query = _CURRENT.where(RULE.c.state != "deleted")
    if workspace is not None:
        query = query.where(RULE.c.workspace == fold(workspace))
    # sorted here: databases differ in how they order texts
    rows = sorted(connection.execute(query).mappings(), key=lambda row: (row["workspace"], row["id"]))
    return [_rule(row) for row in rows]


def count(connection: Connection, workspace: str) -> int:
    """Return how many rules a workspace (folded) has."""
    current = _CURRENT.where((RULE.c.state != "deleted") & (RULE.c.workspace == workspace)).subquery()
    return int(connection.execute(select(func.count()).select_from(current)).scalar_one())


def add_version(connection: Connection, rule: Rule) -> bool:
    """Keep the next version of a rule, pending; False where that version is there already."""
    row = {
        "workspace": fold(rule.workspace),
        "named": rule.workspace,
        "id": rule.id,
        "version": rule.version,
        "state": rule.state,
        "definition": to_text(rule.to_json()),
        "pending": True,
        "at": rule.updated_at,
    }
    insertion = upsert(connection, RULE).values(row).on_conflict_do_nothing().returning(RULE.c.version)
    kept = connection.execute(insertion).first() is not None
    raise_revision(connection, "rules")
    return kept


def logged(connection: Connection, rule: Rule) -> None:
    """Note that every partition of `events` has the message of this version."""
    where = (RULE.c.workspace == fold(rule.workspace)) & (RULE.c.id == rule.id)
    connection.execute(update(RULE).where(where & (RULE.c.version == rule.version)).values(pending=False))


def pending(connection: Connection, before: int, now: int) -> list[Rule]:
    """Return the versions that wait for their messages since before a time (ns), oldest first.

    Those from after `now` too: the clock has gone back since they were made.
    """
    waits = RULE.c.pending & ((RULE.c.at < before) | (RULE.c.at > now))
    query = select(RULE).where(waits).order_by(RULE.c.at).limit(100)
    return [_rule(row) for row in connection.execute(query).mappings()]


def in_force(connection: Connection, log: str, partition: int) -> list[Rule]:
    """Return the rules a judge partition has in force, as they were put there."""
    query = select(RULE).join(
        IN_FORCE,
        (RULE.c.workspace == IN_FORCE.c.workspace)
        & (RULE.c.id == IN_FORCE.c.rule)
        & (RULE.c.version == IN_FORCE.c.version),
    )
    rows = connection.execute(query.where((IN_FORCE.c.log == log) & (IN_FORCE.c.partition == partition)))
    return [_rule(row) for row in rows.mappings()]


def put_in_force(connection: Connection, log: str, partition: int, rule: Rule) -> None:
    """Note that a judge partition has this version in force."""
    key = {"log": log, "partition": partition, "workspace": fold(rule.workspace), "rule": rule.id}
    statement = upsert(connection, IN_FORCE).values(**key, version=rule.version)
    connection.execute(
        statement.on_conflict_do_update(index_elements=list(key), set_={"version": rule.version})
    )


def adopt_in_force(connection: Connection, log: str, partitions: int) -> None:
    """Put every rule there is in force for a log that is new to this database."""
    for rule in listing(connection):
        for partition in range(partitions):
            put_in_force(connection, log, partition, rule)


def _rule(row: Row) -> Rule:
    return rule_from_json(row["named"], from_text(row["definition"]))
