"""The rules in force in one partition, and what they say of an event."""

from collections.abc import Callable, Iterable, Mapping
from operator import attrgetter
from types import MappingProxyType
from typing import Final, NamedTuple

from rules.alerting.compiled import CompiledRule, Compiler, TimeColumns, compile_rule, time_columns
from rules.alerting.index import RuleIndex
from rules.alerting.message import cut
from rules.alerting.rule import Rule
from rules.condition.condition import EvaluationError
from rules.envelope import Record
from rules.limits import Limits
from rules.names import fold
from rules.schema.dataset import ColumnType

MAX_ERROR: Final = 500
"""Bytes of the sentence that tells why a rule could not judge an event."""

Place = tuple[str, str]

_LIMITS: Final = Limits()


class Judged(NamedTuple):
    """The rules that match a record, by their ids, and those that failed on it.

    A rule that fails is one whose condition was asked and gave an error; one that the index rules out is
    not asked (see `rules.alerting.index`).
    """

    matched: list[Rule]
    failed: list[tuple[Rule, str]]


class Rulebook:
    """Every rule's highest version so far; the active ones are indexed by their dataset.

    It belongs to one task. Several books may share compiled rules through one cached `compiler`.
    """

    def __init__(self, limits: Limits = _LIMITS, compiler: Compiler = compile_rule) -> None:
        self._limits = limits
        self._compile = compiler
        self._versions: dict[Place, int] = {}
        self._rules: dict[Place, Rule] = {}
        self._indexes: dict[Place, RuleIndex[CompiledRule]] = {}
        self._times: dict[Place, TimeColumns] = {}

    def put(self, rule: Rule) -> bool:
        """Bring `rule` into force; return False if this version or a higher one is here already.

        A paused or deleted rule judges nothing, but its version is remembered.
        """
        name = (fold(rule.workspace), rule.id)
        if rule.version <= self._versions.get(name, 0):
            return False
        self._versions[name] = rule.version
        before = self._rules.pop(name, None)
        if before is not None:
            self._unfile(before)
        if rule.state != "deleted":
            self._rules[name] = rule
        if rule.state == "active":
            self._file(rule)
        return True

    def versions(self) -> Mapping[tuple[str, str], int]:
        """Return the version in force by (folded workspace, rule id): a view, deleted rules included."""
        return MappingProxyType(self._versions)

    def rule(self, workspace: str, rule_id: str) -> Rule | None:
        """Return the version of a rule that is here, active or paused; None where there is none."""
        return self._rules.get((fold(workspace), rule_id))

    def on(self, workspace: str, dataset: str) -> list[Rule]:
        """Return the active rules on a dataset's name."""
        return [held.rule for held in self._indexes.get((fold(workspace), fold(dataset)), ())]

    def know(self, workspace: str, dataset: str, columns: Mapping[str, ColumnType] | None) -> None:
        """Take note of a dataset's columns (None: it is gone), for those that hold instants compare as such.

        Rules of the dataset that name a column which became one, or ceased to be one, are compiled anew.
        """
        place = (fold(workspace), fold(dataset))
        before, after = self._times_of(place), time_columns(columns)
        if after == before:
            return
        if after:
            self._times[place] = after
        else:
            self._times.pop(place, None)
        changed = {name for name, _ in before ^ after}
        for held in list(self._indexes.get(place, ())):
            if held.condition is None or not changed.isdisjoint(held.condition.fields):
                self._file(held.rule)

    def judging(self, workspace: str, dataset: str) -> "Callable[[Record], Judged | None] | None":
        """Return what judges a dataset's records in stored form, until the book changes; None: no rule does.

        Dataset and workspace are matched without case. The function returns None of a record that no rule
        matches and none fails on.
        """
        index = self._indexes.get((fold(workspace), fold(dataset)))
        if index is None:
            return None
        find = index.find

        def judge(record: Record) -> Judged | None:
            sure, unsure = find(record)
            return _judged(sure, unsure, record) if sure or unsure else None

        return judge

    def _file(self, rule: Rule) -> None:
        place = (fold(rule.workspace), fold(rule.on))
        held = self._compile(rule, self._times_of(place), self._limits)
        index = self._indexes.get(place)
        if index is None:
            index = self._indexes[place] = RuleIndex()
        index.insert(rule.id, None if held.condition is None else held.condition.tree, held)

    def _unfile(self, rule: Rule) -> None:
        place = (fold(rule.workspace), fold(rule.on))
        index = self._indexes.get(place)
        if index is None:
            return
        index.remove(rule.id)
        if not index:
            del self._indexes[place]

    def _times_of(self, place: Place) -> TimeColumns:
        return self._times.get(place, frozenset())


def joined(told: Iterable[Judged | None]) -> Judged | None:
    """Return what the rules on several names say of one record."""
    found = [one for one in told if one is not None]
    if len(found) < 2:
        return found[0] if found else None
    matched = sorted((rule for one in found for rule in one.matched), key=attrgetter("id"))
    return Judged(matched, [failure for one in found for failure in one.failed])


def _judged(sure: list[CompiledRule], unsure: list[CompiledRule], record: Record) -> Judged | None:
    """Ask the conditions of the rules that may match."""
    matched = [held.rule for held in sure]
    failed: list[tuple[Rule, str]] = []
    for held in unsure:
        if held.condition is None:
            failed.append((held.rule, held.fault))
            continue
        try:
            if held.condition.matches(record):
                matched.append(held.rule)
        except EvaluationError as error:
            failed.append((held.rule, cut(str(error), MAX_ERROR)))
    if len(matched) > 1:
        # The order must not hang on which rule came first: a restart loads them in another.
        matched.sort(key=attrgetter("id"))
    return Judged(matched, failed) if matched or failed else None
