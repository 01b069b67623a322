from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.alerting.rule import Rule, next_version, read_rule, rule_from_json
from rules.errors import BAD_CONDITION, BAD_NAME, BAD_RULE, Code, Problem
from rules.limits import Limits

NOW = 1_700_000_000_123_456_789
LEAST = {"id": "hot", "on": "readings", "where": "temp > 30"}
FULL = {
    **LEAST,
    "key": ["station", "größe"],
    "mode": "each",
    "cooldown": "5m",
    "severity": "crit",
    "notify": ["s1", "s2"],
    "message": "{{ station }} at {{ temp }}",
    "title": "Too hot",
    "state": "paused",
}

texts = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=20)
rules = st.builds(
    Rule,
    workspace=st.just("acme"),
    id=texts,
    version=st.integers(1, 10**6),
    on=texts,
    where=texts,
    key=st.lists(texts, max_size=3).map(tuple),
    cooldown=st.none() | st.just("60s"),
    severity=st.sampled_from(["info", "warning", "error", "critical"]),
    message=st.none() | texts,
    notify=st.none() | st.lists(texts, max_size=3).map(tuple),
    state=st.sampled_from(["active", "paused", "deleted"]),
    title=texts,
    created_at=st.integers(-(2**63), 2**63 - 1),
    updated_at=st.integers(-(2**63), 2**63 - 1),
)


def read(body: object, **more: Any) -> Rule:
    given: dict[str, Any] = {"now": NOW, "limits": Limits()}
    return read_rule("acme", body, **given | more)


def refusal(body: object, **more: Any) -> tuple[Code, str]:
    with pytest.raises(Problem) as caught:
        read(body, **more)
    return caught.value.code, caught.value.detail


def test_the_least_rule_has_the_defaults_of_the_contract() -> None:
    rule = read(LEAST)
    assert rule == Rule("acme", "hot", 1, "readings", "temp > 30", created_at=NOW, updated_at=NOW)
    assert rule.to_json() == {
        "id": "hot",
        "on": "readings",
        "where": "temp > 30",
        "key": [],
        "mode": "each",
        "cooldown": None,
        "severity": "warning",
        "notify": None,
        "message": None,
        "title": "",
        "state": "active",
        "version": 1,
        "createdAt": "2023-11-14T22:13:20.123456789Z",
        "updatedAt": "2023-11-14T22:13:20.123456789Z",
    }


def test_every_clause_is_read() -> None:
    rule = read(FULL, version=7)
    assert (rule.key, rule.severity, rule.notify) == (("station", "größe"), "critical", ("s1", "s2"))
    assert (rule.cooldown, rule.cooldown_ns) == ("5m", 300 * 10**9)
    assert (rule.version, rule.state, rule.title) == (7, "paused", "Too hot")


@given(rules)
def test_what_is_shown_reads_back_as_the_same_rule(rule: Rule) -> None:
    assert rule_from_json("acme", rule.to_json()) == rule


def test_what_an_answer_shows_can_be_put_back() -> None:
    rule = read(FULL)
    assert read(rule.to_json() | {"warnings": []}, rule_id="hot", now=NOW) == rule


def test_the_id_comes_from_the_body_or_from_the_caller() -> None:
    nameless = {"on": "readings", "where": "temp > 30"}
    assert read(nameless, rule_id="minted").id == "minted"
    assert read(LEAST, rule_id="hot").id == "hot"
    assert refusal(nameless)[0] is BAD_RULE
    assert refusal(LEAST, rule_id="cold")[0] is BAD_RULE
    assert refusal(LEAST | {"id": "a b"})[0] is BAD_NAME
    assert refusal(LEAST | {"id": 5})[0] is BAD_RULE


@pytest.mark.parametrize(
    "name",
    [
        "window",
        "when",
        "reset",
        "for",
        "keep_firing_for",
        "absent_for",
        "remind_every",
        "group_by",
        "inhibited_by",
    ],
)
def test_clauses_of_later_are_refused_as_not_supported_yet(name: str) -> None:
    code, detail = refusal(LEAST | {name: "5m"})
    assert code is BAD_RULE
    assert f"'{name}'" in detail
    assert "not supported yet" in detail


def test_an_unknown_field_is_refused_with_the_nearest_name() -> None:
    code, detail = refusal(LEAST | {"coolDown": "5m"})
    assert code is BAD_RULE
    assert detail == "A rule has no field 'coolDown'; did you mean 'cooldown'?"
    assert refusal(LEAST | {"x" * 100_000: 1})[0] is BAD_RULE


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"on": None}, "'on' is missing"),
        ({"where": None}, "'where' is missing"),
        ({"where": 5}, "not a number"),
        ({"key": "station"}, "must be a list"),
        ({"key": ["a", "a"]}, "twice"),
        ({"key": [1]}, "Number 1 of the field 'key'"),
        ({"key": ["_x"]}, "reserved"),
        ({"key": [""]}, "empty"),
        ({"key": [f"c{n}" for n in range(33)]}, "32 are allowed"),
        ({"mode": "edge"}, "not supported yet"),
        ({"mode": "often"}, "must be 'each'"),
        ({"mode": []}, "a list"),
        ({"cooldown": "5 minutes"}, "cooldown"),
        ({"cooldown": 60}, "not a number"),
        ({"severity": "bad"}, "info, warning, error and critical"),
        ({"severity": {"warn": "x"}}, "not an object"),
        ({"notify": [{"webhook": "x"}]}, "not an object"),
        ({"notify": ["s"] * 101}, "100 are allowed"),
        ({"message": True}, "not a boolean"),
        ({"message": "{{ a | upper }}"}, "not understood"),
        ({"message": "ü" * 3_000}, "6000 bytes"),
        ({"title": "x" * 257}, "256 are allowed"),
        ({"title": "a\x00b"}, "U+0000"),
        ({"state": "deleted"}, "'active' or 'paused'"),
    ],
)
def test_a_bad_clause_is_refused_by_its_name(change: dict[str, Any], word: str) -> None:
    code, detail = refusal(LEAST | change)
    assert code is BAD_RULE
    assert word in detail


def test_a_bad_dataset_name_and_a_body_that_is_no_object_are_refused() -> None:
    assert refusal(LEAST | {"on": "a-b"})[0] is BAD_NAME
    assert refusal([LEAST]) == (BAD_RULE, "A rule must be a JSON object, not a list.")


def test_a_bad_condition_is_refused_with_the_position_of_its_fault() -> None:
    with pytest.raises(Problem) as caught:
        read(LEAST | {"where": "temp > "})
    assert caught.value.code is BAD_CONDITION
    assert isinstance(caught.value.extra["position"], int)
    with pytest.raises(Problem) as caught:
        read(LEAST | {"where": "temp >> 1"})
    assert caught.value.extra["position"] == 6


def test_a_bad_message_is_refused_with_its_position() -> None:
    with pytest.raises(Problem) as caught:
        read(LEAST | {"message": "now {{ 5 }}"})
    assert caught.value.extra == {"position": 4}


def test_the_next_version_keeps_what_is_not_changed() -> None:
    rule = read(FULL)
    paused = next_version(rule, state="deleted", updated_at=NOW + 1)
    assert paused == replace(rule, version=2, state="deleted", updated_at=NOW + 1)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | texts, lambda x: st.lists(x) | st.dictionaries(texts, x)
    )
)
def test_no_body_is_anything_but_read_or_refused(value: Any) -> None:
    for name in FULL:
        try:
            read(FULL | {name: value})
        except Problem as problem:
            assert problem.code in (BAD_RULE, BAD_NAME, BAD_CONDITION)
