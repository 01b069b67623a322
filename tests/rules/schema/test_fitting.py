"""Points in the columns of their dataset: names that stay apart, rows in the order of their lines, types."""

from collections.abc import Sequence
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from rules.errors import NUMBER_OUT_OF_RANGE, TOO_MANY_COLUMNS, WRONG_TYPE
from rules.limits import Limits
from rules.schema.dataset import ColumnType, Dataset
from rules.schema.declare import on_demand
from rules.schema.evolve import Additions, NewType, evolve
from rules.schema.fitting import fit, tables_of
from rules.schema.points import TIME, Block, Shape, records_of
from rules.schema.stored import record_key

NUMBER, INTEGER, STRING = ColumnType.NUMBER, ColumnType.INTEGER, ColumnType.STRING
KEYS = st.sampled_from(
    ["a", "a_field", "a_field_field", "a_tag", "time", "time_tag", "_a", "underscore_a", "_"]
)


def blank() -> Dataset:
    stamped = Additions(columns=(NewType(TIME, ColumnType.DATETIME),))
    labels = {"bucket": "b", "measurement": "m"}
    return on_demand("w", "b__m", 1, stamped, key=(TIME,), date=TIME, labels=labels)


def block(
    lines: Sequence[int], tags: dict[str, str], fields: dict[str, tuple[ColumnType, Any]], time: int = 1
) -> Block:
    """Return points that are all the same, but for the lines they stand in."""
    shape = Shape("m", tuple(tags), tuple(fields), tuple(kind for kind, _ in fields.values()), True)
    values = [*tags.values(), *(value for _, value in fields.values())]
    return Block(shape, [[value] * len(lines) for value in values], [time] * len(lines), list(lines))


@given(
    st.lists(st.tuples(st.sets(KEYS), st.sets(KEYS, min_size=1)), min_size=1, max_size=4),
    st.lists(st.tuples(st.sets(KEYS), st.sets(KEYS, min_size=1)), max_size=2),
)
def test_no_two_keys_of_a_point_become_one_column(
    now: list[tuple[set[str], set[str]]], before: list[tuple[set[str], set[str]]]
) -> None:
    dataset = blank()
    for shapes in (before, now):
        blocks = [
            block([n], dict.fromkeys(sorted(tags), "x"), dict.fromkeys(sorted(fields), (NUMBER, 1.0)))
            for n, (tags, fields) in enumerate(shapes)
        ]
        for table in tables_of(dataset, blocks):
            assert len(set(table.names)) == len(table.names)
            assert not any(name.startswith("_") for name in table.names)
        fitted = fit(dataset, blocks, Limits())
        if fitted.additions:
            dataset = evolve(dataset, fitted.additions)
        assert all(column.type is STRING for column in dataset.columns if column.name in dataset.tags)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("xyz")), min_size=1, max_size=30))
def test_rows_come_in_the_order_of_their_lines_with_all_their_values(rows: list[tuple[str, str]]) -> None:
    lines: dict[tuple[str, str], list[int]] = {}
    for line, pair in enumerate(rows):
        lines.setdefault(pair, []).append(line)
    blocks = []
    for (tag, field), mine in lines.items():
        made = block(mine, {"t": tag}, {field: (NUMBER, 0.0)})
        made.columns[1] = [float(line) for line in mine]
        blocks.append(made)
    fitted = fit(blank(), blocks, Limits())
    found = [record for table in fitted.tables for record in records_of(table.names, table.columns)]
    assert [line for table in fitted.tables for line in table.lines] == list(range(len(rows)))
    stamp = "1970-01-01T00:00:00.000000001Z"
    assert found == [{"t": tag, field: float(line), TIME: stamp} for line, (tag, field) in enumerate(rows)]


def test_a_block_that_does_not_fit_asks_for_nothing() -> None:
    dataset = evolve(blank(), Additions(columns=(NewType("v", NUMBER),)))
    fitted = fit(dataset, [block([0, 1], {"t": "a"}, {"v": (STRING, "x"), "w": (NUMBER, 1.0)})], Limits())
    assert (fitted.tables, bool(fitted.additions)) == ([], False)
    assert [(r.index, r.path, r.code) for r in fitted.refusals.first] == [
        (0, "/v", WRONG_TYPE),
        (1, "/v", WRONG_TYPE),
    ]


def test_integers_that_a_column_of_numbers_cannot_hold_are_refused_alone() -> None:
    made = block([3, 5, 9], {}, {"v": (INTEGER, 1)})
    made.columns[0] = [1, 2**53 + 1, -(2**53)]
    dataset = evolve(blank(), Additions(columns=(NewType("v", NUMBER),)))
    fitted = fit(dataset, [made], Limits())
    assert [(r.index, r.code) for r in fitted.refusals.first] == [(5, NUMBER_OUT_OF_RANGE)]
    assert [list(table.lines) for table in fitted.tables] == [[3, 9]]


def test_columns_past_the_limit_are_refused_and_the_block_behind_is_taken() -> None:
    blocks = [
        block([0], {}, {"a": (NUMBER, 1.0)}),
        block([1], {}, {"a": (NUMBER, 1.0), "b": (NUMBER, 1.0)}),
        block([2], {}, {"a": (NUMBER, 2.0)}),
    ]
    fitted = fit(blank(), blocks, Limits(columns=2))
    assert [(r.index, r.code) for r in fitted.refusals.first] == [(1, TOO_MANY_COLUMNS)]
    assert [line for table in fitted.tables for line in table.lines] == [0, 2]


def test_a_points_key_is_its_time_and_the_tags_it_has() -> None:
    one = evolve(blank(), Additions(columns=(NewType("a", STRING),), key=("a",)))
    two = evolve(one, Additions(columns=(NewType("B", STRING),), key=("B",)))
    stamp = "1970-01-01T00:00:00.000000001Z"
    point = {TIME: stamp, "a": "x"}
    assert record_key(one, point) == record_key(two, point) == record_key(two, {**point, "B": None})
    assert record_key(two, {**point, "B": "x"}) != record_key(two, point)
    assert record_key(two, {TIME: stamp, "B": "x"}) != record_key(two, point)
    assert record_key(two, {**point, TIME: "1970-01-01T00:00:00.000000002Z"}) > record_key(two, point)
