"""What the records of one batch, taken in their order, ask of the catalogue together."""

from dataclasses import dataclass, field
from math import isfinite
from typing import Any

from rules.schema.dataset import Column, ColumnType, Dataset
from rules.schema.evolve import Additions, NewType
from rules.schema.fit import Misfit, is_wide, misfit, out_of_range
from rules.schema.infer import UNSEEN, Inferred, join


@dataclass(slots=True)
class Step:
    """What one record asks for, in force once the record is accepted as a whole."""

    new: dict[str, Inferred] = field(default_factory=dict)
    typed: dict[str, Inferred] = field(default_factory=dict)
    widened: set[str] = field(default_factory=set)
    wide: set[str] = field(default_factory=set)


class Growth:
    """Collects what accepted records ask for, and holds later records to it.

    An earlier record decides: after an integer beyond ±2^53 its column can't become one of numbers for a
    later 1.5, and after the 1.5 the later integer is refused.
    """

    def __init__(self, dataset: Dataset) -> None:
        self._columns = dataset.by_name
        self._open = dataset.mode == "evolve"
        self._asked = Step()

    def take(self, name: str, value: Any, step: Step) -> Misfit | None:
        """Return why the value fits neither its column nor what that may become; else note it in `step`."""
        column = self._columns.get(name)
        if column is None:
            return self._infer(name, value, self._asked.new, step.new)
        if column.type is ColumnType.UNTYPED and self._open:
            return self._infer(name, value, self._asked.typed, step.typed)
        if column.type is ColumnType.INTEGER and value is not None:
            return self._integer(column, value, step)
        return misfit(name, column.type, value)

    def columns_after(self, step: Step) -> int:
        """Return how many columns the dataset has once the step is in force."""
        return len(self._columns) + len(self._asked.new.keys() | step.new.keys())

    def commit(self, step: Step) -> None:
        """Put a record's step in force: it was accepted."""
        self._asked.new.update(step.new)
        self._asked.typed.update(step.typed)
        self._asked.widened |= step.widened
        self._asked.wide |= step.wide

    def additions(self) -> Additions:
        """Return all that was asked for, in the order in which it came up."""
        asked = self._asked
        return Additions(
            columns=_types(asked.new),
            typed=_types(asked.typed),
            widened=tuple(sorted(asked.widened)),
            wide=tuple(sorted(asked.wide)),
        )

    def _infer(
        self, name: str, value: Any, seen: dict[str, Inferred], noted: dict[str, Inferred]
    ) -> Misfit | None:
        joined = join(name, seen.get(name, UNSEEN), value)
        if isinstance(joined, Misfit):
            return joined
        if joined.type is not ColumnType.UNTYPED or name not in self._columns:
            noted[name] = joined
        return None

    def _integer(self, column: Column, value: Any, step: Step) -> Misfit | None:
        name = column.name
        widened = name in self._asked.widened
        wrong = misfit(name, ColumnType.NUMBER if widened else ColumnType.INTEGER, value)
        if widened:
            return wrong
        wide = column.wide or name in self._asked.wide
        if wrong is None:
            if not wide and is_wide(value):
                step.wide.add(name)
            return None
        if not isinstance(value, float) or not isfinite(value) or not self._open:
            return wrong
        if wide:
            return out_of_range(name, ColumnType.INTEGER, value) if value.is_integer() else wrong
        step.widened.add(name)
        return None


def _types(inferred: dict[str, Inferred]) -> tuple[NewType, ...]:
    return tuple(NewType(name, seen.type, seen.wide) for name, seen in inferred.items())
