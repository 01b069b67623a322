"""The index against the naive loop: whatever the rules and the event, the same rules match."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from rules.alerting.rule import Rule
from rules.alerting.rulebook import Rulebook
from rules.condition.condition import EvaluationError, read_condition
from rules.schema.dataset import ColumnType

FIELDS = ["a", "b", "c", "n.x", "n.y.z"]
LITERALS = ["null", "true", "false", "0", "1", "1.0", "-1", "2.5", '"x"', '"y"', '""', "18446744073709551615"]
VALUES = st.sampled_from(
    [
        None,
        True,
        False,
        0,
        1,
        1.0,
        -1,
        2.5,
        2,
        -0.0,
        2**64 - 1,
        1.8446744073709552e19,
        "x",
        "y",
        "",
        [1],
        {"x": 1},
    ]
)
TIMES = ["2024-01-01T00:00:00Z", "2024-01-01T00:00:00.5Z", "2024-01-01T01:00:00Z"]


def alternatives(*options: list[str]) -> st.SearchStrategy[str]:
    return st.one_of([st.sampled_from(option) for option in options])


fields = st.sampled_from(FIELDS)
literals = st.sampled_from(LITERALS)
atoms = st.one_of(
    st.builds("{} {} {}".format, fields, st.sampled_from(["==", "!=", "<", "<=", ">", ">="]), literals),
    st.builds("{} {} {}".format, literals, st.sampled_from(["==", "<", ">="]), fields),
    st.builds("{} > {}".format, fields, st.integers(-2, 3)),
    st.builds(
        lambda field, items: f"{field} in [{', '.join(items)}]", fields, st.lists(literals, max_size=4)
    ),
    st.builds("has({})".format, st.sampled_from(["n.x", "a"])),
    st.builds("{} + 1 > {}".format, fields, literals),
    st.builds("size({}) == 1".format, fields),
    st.builds("{} in a".format, literals),
    fields,
    st.sampled_from(["true", "false"]),
)
conditions = st.recursive(
    atoms,
    lambda inner: st.one_of(
        st.builds("({} && {})".format, inner, inner),
        st.builds("({} && {} && {})".format, inner, inner, inner),
        st.builds("({} || {})".format, inner, inner),
        st.builds("!({})".format, inner),
    ),
    max_leaves=10,
)
records = st.fixed_dictionaries(
    {},
    optional={
        "a": VALUES,
        "b": VALUES,
        "c": VALUES,
        "n": st.one_of(
            VALUES,
            st.fixed_dictionaries({}, optional={"x": VALUES, "y": st.fixed_dictionaries({"z": VALUES})}),
        ),
    },
)


def rule(number: int, where: str, version: int = 1, **more: Any) -> Rule:
    return Rule(workspace="Acme", id=f"r{number}", version=version, on="Readings", where=where, **more)


def naive(
    rules: list[Rule], record: dict[str, Any], columns: dict[str, ColumnType] | None = None
) -> tuple[list[str], set[str]]:
    """Return the ids of the rules that match and of those that fail, by asking each of them."""
    matched, failed = [], set()
    for one in rules:
        try:
            if read_condition(one.where, columns=columns or {}).matches(record):
                matched.append(one.id)
        except EvaluationError:
            failed.add(one.id)
    return sorted(matched), failed


def judged(book: Rulebook, record: dict[str, Any]) -> tuple[list[str], set[str]]:
    judge = book.judging("acme", "readings")
    matched, failed = (judge and judge(record)) or ((), ())
    return [one.id for one in matched], {one.id for one, _ in failed}


@settings(max_examples=300, deadline=None)
@given(st.lists(conditions, min_size=1, max_size=8), st.lists(records, min_size=1, max_size=4))
def test_the_index_finds_what_the_loop_finds(wheres: list[str], events: list[dict[str, Any]]) -> None:
    rules = [rule(number, where) for number, where in enumerate(wheres)]
    book = Rulebook()
    for one in rules:
        assert book.put(one)
    for event in events:
        matched, failed = naive(rules, event)
        found, broken = judged(book, event)
        assert found == matched
        assert broken <= failed


@settings(max_examples=120, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 4), conditions, st.sampled_from(["active", "active", "paused", "deleted"])),
        min_size=2,
        max_size=14,
    ),
    st.lists(records, min_size=1, max_size=3),
)
def test_after_replacements_pauses_and_removals_the_index_finds_what_the_loop_finds(
    changes: list[tuple[int, str, Any]], events: list[dict[str, Any]]
) -> None:
    book = Rulebook()
    latest: dict[int, Rule] = {}
    for version, (number, where, state) in enumerate(changes, 1):
        latest[number] = rule(number, where, version, state=state)
        assert book.put(latest[number])
        active = [one for one in latest.values() if one.state == "active"]
        for event in events:
            assert judged(book, event)[0] == naive(active, event)[0]


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.builds(
                'at {} "{}"'.format,
                st.sampled_from(["==", "!=", "<", ">="]),
                st.sampled_from([*TIMES, "2024-01-01T01:00:00+01:00"]),
            ),
            st.builds('at in ["{}"] && a > 0'.format, st.sampled_from(TIMES)),
            st.builds('a == 1 && at >= "{}"'.format, st.sampled_from(TIMES)),
        ),
        min_size=1,
        max_size=6,
    ),
    st.sampled_from(TIMES),
    VALUES,
    st.booleans(),
)
def test_instants_compare_as_instants_in_the_index_too(
    wheres: list[str], at: str, a: Any, early: bool
) -> None:
    columns = {"at": ColumnType.DATETIME, "a": ColumnType.ANY}
    rules = [rule(number, where) for number, where in enumerate(wheres)]
    book = Rulebook()
    if early:
        book.know("acme", "READINGS", columns)
    for one in rules:
        book.put(one)
    if not early:
        book.know("acme", "READINGS", columns)
    assert judged(book, {"at": at, "a": a})[0] == naive(rules, {"at": at, "a": a}, columns)[0]


def test_the_order_in_which_rules_came_does_not_show() -> None:
    rules = [
        rule(number, where) for number, where in enumerate(["a > 0", "true", "b == 1 || a > 1", "a >= 1"])
    ]
    forth, back = Rulebook(), Rulebook()
    for one in rules:
        forth.put(one)
    for one in reversed(rules):
        back.put(one)
    assert (
        judged(forth, {"a": 2, "b": 1}) == judged(back, {"a": 2, "b": 1}) == (["r0", "r1", "r2", "r3"], set())
    )
