"""Points of a measurement fitted to its dataset: which columns they go to, whether they may, what it needs.

Types stand in the shape of a block of points, so a block is checked as a whole: its cost is that of its
columns, not of its values. What a block needs of the catalogue is in force for the blocks behind it.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, NamedTuple

from msgspec import Struct

from rules.errors import (
    BAD_FIELD_NAME,
    NUMBER_OUT_OF_RANGE,
    TOO_MANY_COLUMNS,
    WRONG_TYPE,
    Code,
    Refusal,
    Refusals,
)
from rules.limits import Limits
from rules.names import field_problem
from rules.schema.dataset import MAX_EXACT, ColumnType, Dataset
from rules.schema.evolve import Additions, NewType
from rules.schema.points import TIME, Block, Shape, Table, joined
from rules.schema.values import pointer, quoted

_FIELD: Final = "_field"
_TAG: Final = "_tag"
_UNDERSCORE: Final = "underscore"


class Fitted(Struct, frozen=True):
    """What became of blocks: tables in the order of the lines, refusals, and what the dataset needs first."""

    tables: list[Table]
    refusals: Refusals
    additions: Additions


def fit(dataset: Dataset, blocks: Sequence[Block], limits: Limits) -> Fitted:
    """Bring blocks of one measurement, in the order of their first lines, into the columns of its dataset."""
    fitting = _Fitting(dataset, blocks, limits)
    tables = [table for block in blocks if (table := fitting.take(block)) is not None]
    return Fitted(list(joined(tables)), fitting.refusals, fitting.additions())


def tables_of(dataset: Dataset | None, blocks: Sequence[Block]) -> list[Table]:
    """Return blocks as tables with the names that columns have, unchecked."""
    naming = _Naming(dataset, blocks)
    return [Table([*naming.of(b.shape), TIME], [*b.columns, b.times], b.lines) for b in blocks]


class _Naming:
    """The columns that tags and fields have: their own names, unless a name is taken or not allowed.

    A tag that is known, or comes now, has its name before a field that comes; where a field came first, the
    tag is another column. Names that begin with `_` get another beginning, `time` another end. No two names
    become one.
    """

    def __init__(self, dataset: Dataset | None, blocks: Iterable[Block]) -> None:
        columns = {} if dataset is None else dataset.by_name
        self._tags = set() if dataset is None else set(dataset.key)
        others = columns.keys() - self._tags
        self._tag_names: dict[str, str] = {}
        for tag in dict.fromkeys(tag for block in blocks for tag in block.shape.tags):
            self._tag_names[tag] = _apart(tag, _TAG, lambda name: name == TIME or name in others)
        self._tags |= set(self._tag_names.values())
        self._field_names: dict[str, str] = {}

    def of(self, shape: Shape) -> list[str]:
        return [*(self._tag_names[tag] for tag in shape.tags), *map(self._field, shape.fields)]

    def _field(self, field: str) -> str:
        name = self._field_names.get(field)
        if name is None:
            name = _apart(field, _FIELD, lambda name: name == TIME or name in self._tags)
            self._field_names[field] = name
        return name


def _apart(name: str, ending: str, taken: Callable[[str], bool]) -> str:
    """Return the name that stands as far behind its base, in endings that are free, as `name` does in all."""
    rest = name
    while rest.startswith(_UNDERSCORE):
        rest = rest[len(_UNDERSCORE) :]
    if rest.startswith("_"):
        name = _UNDERSCORE + name
    base, free = name, 1
    while base.endswith(ending) and base != ending:
        base = base[: -len(ending)]
        free += 1
    found = base
    while True:
        if not taken(found):
            free -= 1
            if not free:
                return found
        found += ending


class _Fitting:
    def __init__(self, dataset: Dataset, blocks: Sequence[Block], limits: Limits) -> None:
        self.refusals = Refusals(limits.errors_listed)
        self._dataset = dataset
        self._naming = _Naming(dataset, blocks)
        self._most = limits.columns
        self._types = {column.name: column.type for column in dataset.columns}
        self._wide = {column.name for column in dataset.columns if column.wide}
        self._new: dict[str, None] = {}
        self._key: dict[str, None] = {}

    def take(self, block: Block) -> Table | None:
        """Return the block as a table, less the points that are refused."""
        shape, names = block.shape, self._naming.of(block.shape)
        kinds = [ColumnType.STRING] * len(shape.tags) + list(shape.types)
        why = self._unfit(shape, names, kinds)
        if why is not None:
            self._refuse(block.lines, names[why.column], why)
            return None
        columns, lines, times = block.columns, block.lines, block.times
        for place, (name, kind) in enumerate(zip(names, kinds, strict=True)):
            if kind is ColumnType.INTEGER and self._types.get(name) is ColumnType.NUMBER:
                columns, lines, times = self._exact(name, place, columns, lines, times)
        if not lines:
            return None
        for place, (name, kind) in enumerate(zip(names, kinds, strict=True)):
            self._grow(name, kind, columns[place])
        self._key.update(dict.fromkeys(names[: len(shape.tags)]))
        return Table([*names, TIME], [*columns, times], lines)

    def additions(self) -> Additions:
        before = self._dataset.by_name
        typed = [name for name in self._new if name in before]
        return Additions(
            columns=tuple(self._new_type(name) for name in self._new if name not in before),
            typed=tuple(self._new_type(name) for name in typed),
            widened=tuple(
                sorted(
                    name
                    for name, column in before.items()
                    if column.type is ColumnType.INTEGER and self._types[name] is ColumnType.NUMBER
                )
            ),
            wide=tuple(sorted(n for n in self._wide - self._new.keys() if not before[n].wide)),
            key=tuple(name for name in self._key if name not in self._dataset.key),
        )

    def _new_type(self, name: str) -> NewType:
        return NewType(name, self._types[name], name in self._wide)

    def _unfit(self, shape: Shape, names: list[str], kinds: list[ColumnType]) -> "_Unfit | None":
        for place, (name, kind) in enumerate(zip(names, kinds, strict=True)):
            if name not in self._types and (wrong := field_problem(name)) is not None:
                return _Unfit(place, BAD_FIELD_NAME, f"{wrong[:1].upper()}{wrong[1:]}; rename it.")
            has = self._types.get(name, ColumnType.UNTYPED)
            if has is kind or has is ColumnType.UNTYPED or self._joins(name, has, kind):
                continue
            what = "tag" if place < len(shape.tags) else "field"
            key = (*shape.tags, *shape.fields)[place]
            return _Unfit(
                place,
                WRONG_TYPE,
                f"field type conflict: input {what} {quoted(key)} on measurement {quoted(shape.measurement)} "
                f"is type {_called(kind)}, already exists as type {_called(has)}",
            )
        new = [name for name in names if name not in self._types]
        if len(self._types) + len(new) > self._most:
            count = len(self._types) + len(new)
            return _Unfit(
                names.index(new[-1]),
                TOO_MANY_COLUMNS,
                f"With this point the measurement would have {count} columns; {self._most} are allowed.",
            )
        return None

    def _joins(self, name: str, has: ColumnType, kind: ColumnType) -> bool:
        """Return whether integers and floats meet in a column that has one type of them."""
        if has is ColumnType.NUMBER:
            return kind is ColumnType.INTEGER
        return has is ColumnType.INTEGER and kind is ColumnType.NUMBER and name not in self._wide

    def _exact(
        self, name: str, place: int, columns: list[list[Any]], lines: Sequence[int], times: list[int]
    ) -> tuple[list[list[Any]], Sequence[int], list[int]]:
        """Leave out the points whose integer a column of numbers can't hold."""
        values = columns[place]
        out = [i for i, value in enumerate(values) if not -MAX_EXACT <= value <= MAX_EXACT]
        if not out:
            return columns, lines, times
        why = "is beyond ±2^53, where the field's other values, doubles, are exact"
        for i in out:
            unfit = _Unfit(place, NUMBER_OUT_OF_RANGE, f"the integer {values[i]} of {quoted(name)} {why}")
            self._refuse([lines[i]], name, unfit)
        kept = sorted(set(range(len(values))) - set(out))
        return (
            [[column[i] for i in kept] for column in columns],
            [lines[i] for i in kept],
            [times[i] for i in kept],
        )

    def _grow(self, name: str, kind: ColumnType, values: list[Any]) -> None:
        has = self._types.get(name, ColumnType.UNTYPED)
        if has is ColumnType.UNTYPED:
            self._types[name] = kind
            self._new[name] = None
        elif has is ColumnType.INTEGER and kind is ColumnType.NUMBER:
            self._types[name] = kind
        if self._types[name] is ColumnType.INTEGER and not (
            min(values) >= -MAX_EXACT and max(values) <= MAX_EXACT
        ):
            self._wide.add(name)

    def _refuse(self, lines: Sequence[int], name: str, why: "_Unfit") -> None:
        for line in lines:
            self.refusals.add(Refusal(line, pointer([name]), why.code, why.message))


class _Unfit(NamedTuple):
    column: int
    code: Code
    message: str


def _called(kind: ColumnType) -> str:
    return {ColumnType.NUMBER: "float"}.get(kind, kind.value)
