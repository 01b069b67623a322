"""Whether records may enter a dataset, and what they need of its catalogue entry.

A batch that is valid as it stands costs one call of the compiled validator. Else records are looked at
one by one, in their order: the refused ones are named, what the others need is collected.
"""

from collections.abc import Iterator
from functools import cached_property
from itertools import islice
from typing import Any, Final

from msgspec import Struct

from rules.errors import (
    BAD_FIELD_NAME,
    BAD_TEXT,
    MISSING_KEY,
    NOT_AN_OBJECT,
    NUMBER_OUT_OF_RANGE,
    TOO_DEEP,
    TOO_MANY_COLUMNS,
    UNKNOWN_FIELD,
    Refusal,
)
from rules.limits import Limits
from rules.names import SYSTEM_FIELDS, field_problem
from rules.schema.dataset import MAX_EXACT, ColumnType, Dataset
from rules.schema.derive import exact_schema, follows_references, quick_schema
from rules.schema.evolve import NOTHING, Additions
from rules.schema.growth import Growth, Step
from rules.schema.validator import CompiledSchema, Violation, compile_schema, violations
from rules.schema.values import (
    MAX_UNSIGNED,
    MIN_INTEGER,
    fault_in,
    pointer,
    quoted,
    shown,
    too_deep,
    unfit_text,
)

_MAX_PROBLEMS: Final = 5
_UNSOUND: Final = frozenset({TOO_DEEP, BAD_TEXT, NUMBER_OUT_OF_RANGE})
"""After these the compiled validator is not asked: it may not be able to take the record at all."""


class Verdict(Struct, frozen=True):
    """What became of a batch.

    `records` are the accepted ones in their order, without the fields a client can't set (`_id`,
    `_time`); `accepted` their positions in the batch, None where all were accepted. `refused` counts the
    other records; `refusals` says why, for the first of them, at most five problems a record. Before the
    accepted ones are written, the dataset needs `additions`.
    """

    records: list[Any]
    accepted: list[int] | None = None
    refused: int = 0
    refusals: tuple[Refusal, ...] = ()
    additions: Additions = NOTHING


class Checker:
    """Checks records against one version of a dataset. To be kept as long as the version lives.

    Its validators are immutable once made, so threads may share it.
    """

    def __init__(self, dataset: Dataset, limits: Limits | None = None) -> None:
        self.dataset = dataset
        self._limits = limits or Limits()
        self._columns = dataset.by_name
        self._key = dataset.required_key
        self._numbers = frozenset(c.name for c in dataset.columns if c.type is ColumnType.NUMBER)
        self._quick = compile_schema(quick_schema(dataset, self._limits.nesting))
        self._recursive = dataset.declared and follows_references(dataset.schema)

    def fits(self, records: list[Any], *, plain: bool) -> bool:
        """Return whether all records may enter as they are, and need nothing."""
        return self._quickly(records) and (plain or all(map(self._is_clean, records)))

    def check(self, records: list[Any], *, plain: bool, keep: int | None = None) -> Verdict:
        """Return which records may enter, and what they need.

        `plain` is the caller's word that the text they were read from held no run of 16 digits or more
        and no escape of U+0000 or a lone surrogate; then no value has to be looked at twice. Why records
        were refused is said of the first `keep` of them (the limit of errors listed, unless given).
        """
        if self.fits(records, plain=plain):
            return Verdict(records)
        return self._one_by_one(records, plain, self._limits.errors_listed if keep is None else keep)

    @cached_property
    def _exact(self) -> CompiledSchema | None:
        return compile_schema(exact_schema(self.dataset)) if self.dataset.declared else None

    def _quickly(self, records: list[Any]) -> bool:
        # A recursive schema would take the validator as deep as the value goes, past the end of the stack.
        if self._recursive and any(too_deep(record, self._limits.nesting) for record in records):
            return False
        try:
            return self._quick.is_valid(records)
        except ValueError:  # a value the validator can't represent: a lone surrogate, too deep a list
            return False

    def _is_clean(self, record: dict[str, Any]) -> bool:
        for name, value in record.items():
            kind = type(value)
            if kind is str:
                if unfit_text(value):
                    return False
            elif kind is int:
                if not -MAX_EXACT <= value <= MAX_EXACT and (
                    name in self._numbers or not MIN_INTEGER <= value <= MAX_UNSIGNED
                ):
                    return False
            elif (kind is dict or kind is list) and fault_in(value, self._limits.nesting - 1) is not None:
                return False
        return True

    def _one_by_one(self, records: list[Any], plain: bool, keep: int) -> Verdict:
        growth = Growth(self.dataset)
        taken: list[Any] = []
        accepted: list[int] = []
        refusals: list[Refusal] = []
        for position, sent in enumerate(records):
            record = _without_system_fields(sent)
            if not (self._quickly([record]) and (plain or self._is_clean(record))):
                problems = self._examine(record, growth)
                if problems:
                    if position - len(accepted) < keep:
                        refusals += (Refusal(position, p.path, p.code, p.message) for p in problems)
                    continue
            accepted.append(position)
            taken.append(record)
        refused = len(records) - len(accepted)
        return Verdict(taken, accepted if refused else None, refused, tuple(refusals), growth.additions())

    def _examine(self, record: Any, growth: Growth) -> list[Violation]:
        """Return what is wrong with one record; where nothing is, what it needs is in force for the next."""
        if not isinstance(record, dict):
            return [
                Violation(None, "", NOT_AN_OBJECT, f"A record must be a JSON object; {shown(record)} came.")
            ]
        step = Step()
        problems = list(islice(self._field_problems(record, growth, step), _MAX_PROBLEMS))
        if step.new and (count := growth.columns_after(step)) > self._limits.columns:
            problems.append(self._too_many(count, next(reversed(step.new))))
        problems += islice(self._broken_rules(record, problems), _MAX_PROBLEMS)
        if not problems:
            growth.commit(step)
        return problems[:_MAX_PROBLEMS]

    def _field_problems(self, record: dict[str, Any], growth: Growth, step: Step) -> Iterator[Violation]:
        for name, value in record.items():
            if name not in self._columns and (problem := self._name_problem(name)) is not None:
                yield problem
            elif (fault := fault_in(value, self._limits.nesting - 1)) is not None:
                yield Violation(name, pointer((name, *fault.steps)), fault.code, fault.message)
            elif (wrong := growth.take(name, value, step)) is not None:
                yield Violation(name, pointer((name,)), wrong.code, wrong.message)
        for name in self._key:
            if record.get(name) is None:
                came = "is null" if name in record else "is missing"
                yield Violation(
                    name,
                    pointer((name,)),
                    MISSING_KEY,
                    f"The key column {quoted(name)} {came}; send a value.",
                )

    def _name_problem(self, name: str) -> Violation | None:
        why = field_problem(name)
        if why is not None:
            return Violation(
                name, pointer((name,)), BAD_FIELD_NAME, f"{why[:1].upper()}{why[1:]}; rename it."
            )
        if unfit_text(name):
            return Violation(
                name, "", BAD_TEXT, f"The property name {quoted(name)} holds a lone surrogate; rename it."
            )
        if self.dataset.mode == "strict":
            return Violation(
                name,
                pointer((name,)),
                UNKNOWN_FIELD,
                f"The strict dataset has no column {quoted(name)}; leave it out or add it to the schema.",
            )
        return None

    def _too_many(self, count: int, name: str) -> Violation:
        return Violation(
            name,
            pointer((name,)),
            TOO_MANY_COLUMNS,
            f"With this record the dataset would have {count} columns; {self._limits.columns} are allowed. "
            "Put further values into a nested object.",
        )

    def _broken_rules(self, record: dict[str, Any], problems: list[Violation]) -> Iterator[Violation]:
        if self._exact is None or any(problem.code in _UNSOUND for problem in problems):
            return
        named = {problem.field for problem in problems}
        for violation in violations(self._exact, record):
            if violation.field is None or violation.field not in named:
                yield violation


def _without_system_fields(record: Any) -> Any:
    if isinstance(record, dict) and not SYSTEM_FIELDS.isdisjoint(record):
        return {name: value for name, value in record.items() if name not in SYSTEM_FIELDS}
    return record
