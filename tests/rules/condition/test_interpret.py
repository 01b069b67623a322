from typing import Any

import pytest

from rules.condition.functions import EvaluationError, Pattern
from rules.condition.interpret import interpret
from rules.condition.parse import parse
from rules.limits import Limits
from tests.rules.condition.trees import outcome

RECORD: dict[str, Any] = {
    "temp": 31.5,
    "station": "a",
    "on": True,
    "off": False,
    "gone": None,
    "list": [1, "x", None],
    "deep": {"b": {"c": 5}, "null": None, "odd name": 1},
}
FAILS = "gone > 1"


def asked(source: str) -> bool | str:
    return outcome(interpret, parse(source, Limits()), RECORD, {"^a$": Pattern("^a$")})


@pytest.mark.parametrize(
    "source",
    [
        "temp > 30 && station in ['a', 'b']",
        "on",
        "!off",
        "gone == null",
        "absent == null",
        "null == null",
        "temp != null",
        "temp != 'x'",
        "on != 1",
        "null in list",
        "'b' in deep",
        "deep.b.c == 5.0",
        "deep['odd name'] == 1",
        "deep['null'] == null",
        "list[1] == 'x'",
        "list == [1.0, 'x', null]",
        "[] == []",
        "has(temp)",
        "!has(gone)",
        "!has(absent.x)",
        "!has(deep.`null`)",
        "size(list) == 3",
        "'x' + station == 'xa'",
        "-temp < 0",
        "7 % 4 == 3",
        "1 / 2 == 0.5",
        "station.matches('^a$')",
        "station < 'b'",
        "(temp > 30) == on",
        f"true || {FAILS}",
        f"{FAILS} || true",
        f"!({FAILS} && false)",
        f"!(false && {FAILS})",
        f"{FAILS} || 1 || true",
        f"({FAILS} || on) && !({FAILS} && off)",
        "!(1 && false)",
    ],
)
def test_these_hold(source: str) -> None:
    assert asked(source) is True


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("gone > 1", "'>' has no meaning between null and number at character 6"),
        ("absent > 1", "'>' has no meaning between null and number"),
        ("on > 0", "'>' has no meaning between boolean and number"),
        ("on > off", "'>' has no meaning between boolean and boolean"),
        ("temp < station", "'<' has no meaning between number and text"),
        ("deep.x == 1", "object has no 'x' at character 1"),
        ("list[3] == 1", "list has no 3"),
        ("temp.x == 1", "number has no 'x'"),
        (f"true && {FAILS}", "'>' has no meaning between null and number at character 14"),
        (f"{FAILS} && true", "'>' has no meaning"),
        (f"false || {FAILS}", "'>' has no meaning"),
        (f"!({FAILS})", "'>' has no meaning"),
        (f"{FAILS} || 1 / 0 > 1", "'>' has no meaning between null and number at character 6"),
        ("1 && true", "number stands where true or false must at character 1"),
        ("!station", "text stands where true or false must"),
        ("temp", "number stands where true or false must at character 1"),
        ("gone", "null stands where true or false must"),
        ("temp + 1", "number stands where true or false must at character 6"),
        ("on == (temp / 0 > 1)", "division by zero at character 13"),
        ("1 in [1, gone > 1]", "'>' has no meaning"),
        ("gone.size() == 1", "size() has no meaning on null at character 6"),
    ],
)
def test_these_have_no_result_and_say_why_and_where(source: str, message: str) -> None:
    assert message in str(asked(source))


def test_the_first_error_is_the_one_that_is_told() -> None:
    with pytest.raises(EvaluationError) as caught:
        interpret(parse("on && (gone > 1 || list < 1)", Limits()), RECORD, {})
    assert caught.value.at == 12
