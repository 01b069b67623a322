"""A wish's conditions hold for a record exactly where its triples do."""

import operator
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from api.apperate.translate import declaration
from api.apperate.wish import read_wish
from rules.alerting.rule import read_rule
from rules.alerting.trial import dry_run
from rules.condition.condition import read_condition
from rules.condition.parse import field_source
from rules.condition.tree import Path
from rules.limits import Limits

LIMITS = Limits()
NAMES = ("a", "in", "null", "odd name", "größe", "a.b", '"', "9", "for")
COMPARED = {
    ">": operator.gt,
    "is below": operator.lt,
    ">=": operator.ge,
    "<=": operator.le,
    "=": operator.eq,
    "is not": operator.ne,
}
numbers = st.one_of(st.integers(-(2**53), 2**53), st.floats(-1e9, 1e9, allow_nan=False))
texts = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=8)
triples = st.tuples(st.sampled_from(NAMES), st.sampled_from(sorted(COMPARED)), numbers)
records = st.fixed_dictionaries(dict.fromkeys(NAMES, numbers))


def raised(body: dict[str, Any], record: dict[str, Any]) -> bool:
    wish = read_wish({"ruleName": "n", "ruleSet": "d", "outputs": [{"method": "logs"}], **body})
    rule = read_rule("w", declaration(wish, None), rule_id="r", now=0, limits=LIMITS)
    return bool(dry_run(rule, [record], None, 0, LIMITS).alerts)


@given(st.lists(triples, min_size=1, max_size=4), st.sampled_from(["any", "all"]), records)
def test_any_and_all_of_the_triples_are_what_the_rule_says(
    given_triples: list[tuple[str, str, float]], kind: str, record: dict[str, float]
) -> None:
    held = [COMPARED[sign](record[name], right) for name, sign, right in given_triples]
    body = {"type": kind, "conditions": [list(triple) for triple in given_triples]}
    assert raised(body, record) == (any(held) if kind == "any" else all(held))


@given(texts, texts)
def test_texts_are_compared_as_they_are_whatever_stands_in_them(text: str, other: str) -> None:
    for value in (text, other):
        assert raised({"conditions": [["a", "==", text]]}, {"a": value}) == (value == text)
    assert raised({"conditions": [["a", "contains", other]]}, {"a": text}) == (other in text)


@given(texts, texts, st.lists(st.booleans(), min_size=2, max_size=2))
def test_a_key_is_asked_for_besides_whatever_else_holds(entity: str, other: str, held: list[bool]) -> None:
    conditions = [["x", "is", True], ["y", "is", True]]
    for value in (entity, other):
        record = {"k": value, "x": held[0], "y": held[1]}
        body = {"ruleSet": f"d:k{entity}", "key": ["k"], "type": "any", "conditions": conditions}
        assert raised(body, {**record, "k": f"k{value}"}) == (value == entity and any(held))


@given(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00`\r\n"), min_size=1, max_size=12)
)
def test_a_field_written_into_a_condition_is_read_as_that_field(name: str) -> None:
    tree = read_condition(field_source(name), LIMITS).tree
    assert isinstance(tree, Path)
    assert tree.steps == (name,)
