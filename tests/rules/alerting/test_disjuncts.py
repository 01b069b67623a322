from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from rules.alerting.disjuncts import MAX_ALTERNATIVES, disjuncts
from rules.condition.condition import EvaluationError, read_condition
from rules.condition.interpret import interpret
from rules.condition.tree import All, AnyOf, Node, Not

ATOMS = ["a", "b > 1", "b < 2", "c == 1", "missing > 1", "5 > 1", "size(a) > 0"]
sources = st.recursive(
    st.sampled_from(ATOMS),
    lambda inner: st.one_of(
        st.builds("({} && {})".format, inner, inner),
        st.builds("({} || {})".format, inner, inner),
        st.builds("({} || {} || {})".format, inner, inner, inner),
        st.builds("!({})".format, inner),
    ),
    max_leaves=14,
)
values = st.sampled_from([None, True, False, 1, 2, 1.5, "x"])
records = st.fixed_dictionaries({}, optional={"a": values, "b": values, "c": values})


def tree(source: str) -> Node:
    return read_condition(source).tree


def holds(node: Node, record: dict[str, Any]) -> bool:
    try:
        return interpret(node, record, {})
    except EvaluationError:
        return False


@settings(max_examples=500, deadline=None)
@given(sources, records)
def test_a_condition_is_true_exactly_where_one_alternative_is_all_true(
    source: str, record: dict[str, Any]
) -> None:
    condition = tree(source)
    found = disjuncts(condition)
    if found is not None:
        assert len(found) <= MAX_ALTERNATIVES
        assert holds(condition, record) == any(all(holds(one, record) for one in part) for part in found)


def test_a_conjunction_over_alternatives_is_distributed() -> None:
    found = disjuncts(tree("a && (b > 1 || c == 1)"))
    assert found is not None
    assert [len(part) for part in found] == [2, 2]


def test_a_negation_is_pushed_down_to_what_it_negates() -> None:
    found = disjuncts(tree("!(a || !(b > 1))"))
    assert found is not None
    (part,) = found
    assert [type(member).__name__ for member in part] == ["Not", "Compare"]


def test_more_than_sixteen_alternatives_are_none() -> None:
    assert disjuncts(tree(" || ".join(f"b == {n}" for n in range(17)))) is None
    found = disjuncts(tree(" || ".join(f"b == {n}" for n in range(16))))
    assert found is not None
    assert len(found) == 16


def test_too_many_alternatives_within_a_conjunction_stay_whole() -> None:
    many = " || ".join(f"b == {n}" for n in range(17))
    found = disjuncts(tree(f"a && ({many})"))
    assert found is not None
    (part,) = found
    assert isinstance(part[1], AnyOf)


def test_products_stop_growing_at_the_bound() -> None:
    pairs = " && ".join(f"(b == {n} || c == {n})" for n in range(20))
    found = disjuncts(tree(pairs))
    assert found is not None
    assert len(found) == 16
    negated = disjuncts(tree("!(" + " || ".join(f"(b == {n} && c == {n})" for n in range(20)) + ")"))
    assert negated is not None
    assert len(negated) == 16
    assert all(not isinstance(member, All) for part in negated for member in part)
    assert any(isinstance(member, Not) for member in negated[0])
