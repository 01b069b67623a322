from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.alerting.message import MAX_RENDERED, TemplateError, cut, read_template
from rules.alerting.rule import Rule

EVENT = {
    "station": "Köln",
    "temp": 31.0,
    "n": 3,
    "on": True,
    "a": {"b": [1, {"c d": "x"}]},
    "odd name": 5,
    "rule": "mine",
    "key": {"x": 1},
    "gone": None,
}


def rendered(template: str, key: tuple[str, ...] = ("station",), event: dict[str, Any] | None = None) -> str:
    record = EVENT if event is None else event
    return read_template(template, key).render(
        "hot", "warning", {name: record.get(name) for name in key}, record
    )


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{{ station }} at {{ temp }}", "Köln at 31.0"),
        ("{{station}}{{n}}", "Köln3"),
        ("{{ rule }}: {{ severity }}", "hot: warning"),
        ("{{ key.station }} of {{ key }}", 'Köln of {"station":"Köln"}'),
        ("{{ a.b[0] }} {{ a.b[1]['c d'] }} {{ a }}", '1 x {"b":[1,{"c d":"x"}]}'),
        ('{{ event["odd name"] }} {{ `odd name` }} {{ event.rule }} {{ event.key.x }}', "5 5 mine 1"),
        ("{{ gone }} {{ never }} {{ a.b[9] }} {{ temp.x }}", "null null null null"),
        ("{{ on }}", "true"),
        ("plain } text }}", "plain } text }}"),
        ("", ""),
    ],
)
def test_a_template_renders(template: str, text: str) -> None:
    assert rendered(template) == text


def test_the_whole_event_is_shown_as_json() -> None:
    assert rendered("{{ event }}", (), {"a": "ü"}) == '{"a":"ü"}'


@pytest.mark.parametrize(
    ("template", "at", "words"),
    [
        ("a {{ b", 2, "not closed"),
        ("a {{ b | upper }}", 2, "'{{ b | upper }}' at character 3 is not understood"),
        ("{{ }}", 0, "not understood"),
        ("{{ 5 }}", 0, "not understood"),
        ("{{ .a }}", 0, "not understood"),
        ("{{ a b }}", 0, "not understood"),
        ("{{ ['a'] }}", 0, "not understood"),
        ("{{ rule.x }}", 0, "event.rule"),
        ("{{ key.statoin }}", 0, "did you mean 'station'?"),
        ("x {% if a %}", 2, "no blocks"),
        ("{{ " + "a." * 40 + "a }}", 0, "not understood"),
    ],
)
def test_what_is_not_understood_is_refused_with_its_place(template: str, at: int, words: str) -> None:
    with pytest.raises(TemplateError) as caught:
        read_template(template, ("station",))
    assert caught.value.at == at
    assert words in str(caught.value)


def test_the_columns_a_template_names_are_told_with_their_places() -> None:
    template = read_template("{{ a.b }} {{ key.k }} {{ rule }} {{ event.c }} {{ a }} {{ event }}", ("k",))
    assert template.fields == {"a": 0, "c": 33}


def test_a_long_message_is_cut_to_four_kilobytes_of_whole_characters() -> None:
    text = rendered("{{ station }}{{ station }}", event={"station": "ü" * 1_000_000})
    assert len(text.encode()) <= MAX_RENDERED
    assert text.endswith("ü…")
    assert cut("ü" * 2_048) == "ü" * 2_048


@given(st.text(max_size=60), st.integers(3, 100))
def test_a_cut_text_is_within_its_bound_and_begins_as_it_did(text: str, most: int) -> None:
    short = cut(text, most)
    assert len(short.encode()) <= most
    assert short == text or text.startswith(short.removesuffix("…"))


@given(st.text(alphabet="{}%. ab[]'\"`05\n", max_size=30))
def test_any_text_is_a_template_or_refused(text: str) -> None:
    try:
        template = read_template(text, ("a",))
    except TemplateError as error:
        assert 0 <= error.at <= len(text)
    else:
        assert template.render("r", "info", {"a": 1}, {"a": {"b": [0]}}) is not None


def test_without_a_message_a_person_reads_the_rule_the_condition_and_the_key() -> None:
    rule = Rule("acme", "hot", 1, "readings", "temp > 30 && x == '{{ y }}'", key=("station", "n"))
    key = {"station": "Köln", "n": None}
    assert rule.template.render(rule.id, rule.severity, key, EVENT) == (
        "hot: temp > 30 && x == '{{ y }}' (station=Köln, n=null)"
    )
    assert Rule("acme", "hot", 1, "r", "a", title="Hot!").template.render("hot", "info", {}, {}) == "Hot!: a"
