"""Versions of rules, kept and put in force: the same for every door that changes a rule."""

from collections.abc import Callable
from dataclasses import replace

from sqlalchemy import Connection

from api.services import Services
from rules.alerting.clauses import State
from rules.alerting.fit import fit
from rules.alerting.rule import Rule, next_version
from rules.errors import PENDING, RULE_NOT_FOUND, TAKEN, TOO_MANY_RULES, VERSION_CONFLICT, Later, Problem
from rules.names import fold
from rules.schema.dataset import ColumnType
from storage import datasets, rules
from streams.awaiting import on_loop
from streams.log import LogError


async def fitted(services: Services, rule: Rule) -> list[str]:
    """Return what the caller should know though the rule is taken.

    Raises: Problem, where it does not fit its dataset.
    """
    dataset = await services.catalogue.find(rule.workspace, rule.on)
    if dataset is None:
        return fit(rule, None, (), services.limits)
    columns: dict[str, ColumnType] = {column.name: column.type for column in dataset.columns}
    return fit(rule, columns, dataset.partition_by, services.limits)


def existing(c: Connection, workspace: str, rule_id: str) -> Rule:
    """Return the latest version of a rule. Raises: Problem(rule_not_found)."""
    found = rules.latest(c, workspace, rule_id)
    if found is None or found.state == "deleted":
        raise Problem(RULE_NOT_FOUND, f"There is no rule {rule_id[:128]!r} in {workspace}.")
    return found


async def find(services: Services, workspace: str, rule_id: str) -> Rule:
    """Return the latest version of a rule. Raises: Problem(rule_not_found)."""
    return await on_loop(services.store.read(lambda c: existing(c, workspace, rule_id)))


def add(c: Connection, rule: Rule, most: int) -> Rule:
    """Keep a new rule of a workspace that may have `most`; versions of a deleted one's id go on.

    Raises: Problem(too_many_rules, taken, version_conflict).
    """
    if rules.count(c, fold(rule.workspace)) >= most:
        raise Problem(TOO_MANY_RULES, f"{rule.workspace} has {most} rules; no more are allowed.")
    last = rules.latest(c, rule.workspace, rule.id)
    if last is not None and last.state != "deleted":
        raise Problem(TAKEN, f"There is a rule {rule.id!r} in {rule.workspace} already; PUT replaces it.")
    datasets.ensure_workspace(c, rule.workspace, rule.created_at)
    return kept(c, rule if last is None else replace(rule, version=last.version + 1))


def follow(c: Connection, rule: Rule, last: Rule, state: State) -> Rule:
    """Keep a rule as the version that follows `last`. Raises: Problem(version_conflict)."""
    return kept(c, replace(rule, created_at=last.created_at, version=last.version + 1, state=state))


def kept(c: Connection, rule: Rule) -> Rule:
    """Keep a version of a rule. Raises: Problem(version_conflict)."""
    if not rules.add_version(c, rule):
        raise Problem(VERSION_CONFLICT, f"The rule {rule.id!r} was changed by somebody else meanwhile.")
    return rule


async def change_state(services: Services, workspace: str, rule_id: str, state: State) -> Rule:
    """Pause, resume or delete a rule. Raises: Problem(rule_not_found, version_conflict, pending)."""
    now = services.clock()

    def keep(c: Connection) -> Rule:
        last = existing(c, workspace, rule_id)
        return last if last.state == state else kept(c, next_version(last, state=state, updated_at=now))

    return await announced(services, keep)


async def announced(services: Services, keep: Callable[[Connection], Rule]) -> Rule:
    """Keep a version and put it in force; the caller is answered once every partition has the message.

    Raises: Problem(pending) where it is kept and will be in force by itself; what `keep` raises.
    """
    rule: Rule = await on_loop(services.store.write(keep))
    try:
        await services.announcer.announce(rule)
    except (LogError, Later) as error:
        why = error.shown if isinstance(error, Later) else error
        detail = f"The rule is kept as version {rule.version} and comes into force by itself: {why}."
        raise Problem(PENDING, detail, extra={"version": rule.version}) from error
    return rule
