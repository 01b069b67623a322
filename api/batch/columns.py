"""The rows of a CSV as records: each cell a value of its column's type."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rules.envelope import Record
from rules.names import SYSTEM_FIELDS
from rules.schema.cells import join_types, type_of_cells, values_of_cells
from rules.schema.dataset import ColumnType, Dataset
from rules.schema.evolve import Additions, NewType
from rules.schema.infer import UNSEEN, Inferred


def fresh(names: Iterable[str], dataset: Dataset) -> list[str]:
    """Return the names that are no typed columns of the dataset, so that the cells say what they are."""
    if dataset.mode != "evolve":
        return []
    known = dataset.by_name
    return [
        name
        for name in names
        if name not in SYSTEM_FIELDS and (name not in known or known[name].type is ColumnType.UNTYPED)
    ]


def kinds_of(
    names: Sequence[str], dataset: Dataset, found: Mapping[str, ColumnType]
) -> list[ColumnType | None]:
    """Return the type of each column: the dataset's, else the one found; None for what is left out."""
    kinds: list[ColumnType | None] = []
    for name in names:
        column = dataset.by_name.get(name)
        if name in SYSTEM_FIELDS:
            kinds.append(None)
        elif column is None or column.type is ColumnType.UNTYPED:
            kinds.append(found.get(name, ColumnType.STRING))
        else:
            kinds.append(column.type)
    return kinds


def records_of(
    names: Sequence[str], kinds: Sequence[ColumnType | None], rows: Sequence[Sequence[str]]
) -> list[Any]:
    """Return the records of rows, which have as many cells as there are names."""
    if not rows:
        return []
    kept: list[str] = []
    columns: list[Sequence[Any]] = []
    for name, kind, cells in zip(names, kinds, zip(*rows, strict=True), strict=True):
        if kind is not None:
            kept.append(name)
            columns.append(values_of_cells(cells, kind))
    if not kept:
        return [{} for _ in rows]
    return [dict(zip(kept, values, strict=True)) for values in zip(*columns, strict=True)]


class Found:
    """What the cells of new columns ask for, over all accepted rows of a load."""

    def __init__(self, names: Iterable[str]) -> None:
        self._types: dict[str, Inferred] = dict.fromkeys(names, UNSEEN)

    def look(self, records: Sequence[Record]) -> None:
        """Take in accepted records, whose new columns hold texts."""
        for name, seen in self._types.items():
            if seen.type is not ColumnType.STRING:
                cells = [record[name] for record in records]
                self._types[name] = join_types(seen, type_of_cells(cells))

    def kept(self) -> list[tuple[str, str, bool]]:
        """Return it as a job keeps it."""
        return [(name, seen.type.value, seen.wide) for name, seen in self._types.items()]


def types_of(kept: Iterable[tuple[str, str, bool]]) -> dict[str, ColumnType]:
    """Return the types that `Found.kept` gave, by name."""
    return {name: ColumnType(kind) for name, kind, _ in kept}


def additions_of(kept: Iterable[tuple[str, str, bool]], dataset: Dataset) -> Additions:
    """Return what the dataset lacks of the columns found."""
    wanted = [NewType(name, ColumnType(kind), wide) for name, kind, wide in kept]
    known = dataset.by_name
    return Additions(
        columns=tuple(new for new in wanted if new.name not in known),
        typed=tuple(
            new
            for new in wanted
            if new.type is not ColumnType.UNTYPED
            and new.name in known
            and known[new.name].type is ColumnType.UNTYPED
        ),
    )


def as_texts(names: Iterable[str], dataset: Dataset) -> Additions:
    """Return additions that make each of these a text column: what new cells are checked as."""
    return additions_of([(name, ColumnType.STRING.value, False) for name in names], dataset)
