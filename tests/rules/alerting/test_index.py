import random
from typing import Any

from rules.alerting.index import MOST_KEYS, RuleIndex
from rules.condition.condition import read_condition


def index_of(*wheres: str) -> RuleIndex[str]:
    index: RuleIndex[str] = RuleIndex()
    for where in wheres:
        index.insert(where, read_condition(where).tree, where)
    return index


def found(where: str, record: dict[str, Any]) -> str:
    """Return "sure", "asked" or "out": what becomes of the one rule."""
    sure, unsure = index_of(where).find(record)
    return "sure" if sure else "asked" if unsure else "out"


def test_an_equality_is_found_by_json_equality() -> None:
    assert found("a == 1", {"a": 1.0}) == "sure"
    assert found("a == 1", {"a": True}) == "out"
    assert found("a == true", {"a": 1}) == "out"
    assert found("a == true", {"a": True}) == "sure"
    assert found("a == null", {}) == "sure"
    assert found("a in [2, 'x', null]", {"a": "x"}) == "sure"
    assert found("a == -1", {"a": -1.0}) == "sure"
    assert found("a == 9007199254740993", {"a": 9007199254740992.0}) == "out"


def test_a_threshold_takes_numbers_only() -> None:
    assert found("a > 0", {"a": True}) == "out"
    assert found("a > 0", {"a": "1"}) == "out"
    assert found("a > 0", {}) == "out"
    assert found("0 < a", {"a": 1}) == "sure"
    assert found("a <= 2", {"a": 2.0}) == "sure"
    assert found("a < 2", {"a": 2}) == "out"


def test_a_second_threshold_has_its_own_direction_and_bound() -> None:
    for condition, b, outcome in [
        ("b >= 1", 1, "sure"),
        ("b > 1", 1, "out"),
        ("b <= 1", 1.0, "sure"),
        ("b < 1", 1, "out"),
        ("b < 1", 0.5, "sure"),
        ("b < 1", None, "out"),
    ]:
        assert found(f"a > 0 && {condition}", {"a": 1, "b": b}) == outcome


def test_a_threshold_that_is_no_double_is_left_to_the_condition() -> None:
    assert found("a > 9007199254740993", {"a": 9007199254740993}) == "asked"
    assert found("a >= 9007199254740992", {"a": 9007199254740992}) == "sure"
    assert found("a > 9007199254740992", {"a": 9007199254740993}) == "sure"
    assert found("a > 18446744073709551615", {"a": 1}) == "asked"


def test_a_column_alone_is_asked_for_true() -> None:
    assert found("active", {"active": True}) == "sure"
    assert found("!active", {"active": False}) == "sure"
    assert found("active", {"active": 1}) == "out"


def test_nested_fields_are_found_by_value_too() -> None:
    assert found("device.id == 'x'", {"device": {"id": "x"}}) == "sure"
    assert found("device.id == null", {"device": {}}) == "out"
    assert found("device.id == null", {"device": {"id": None}}) == "sure"
    assert found("device.temp > 1 && device.hum < 3", {"device": {"temp": 2, "hum": 2}}) == "sure"


def test_what_no_predicate_says_is_asked_of_the_condition() -> None:
    assert found("a == 'x' && name.startsWith('y')", {"a": "x"}) == "asked"
    assert found("a == 'x' && name.startsWith('y')", {"a": "z"}) == "out"
    assert found("name > 'm'", {"name": "a"}) == "asked"
    assert found("a > 1 && b > 1 && c > 1", {"a": 2, "b": 2, "c": 0}) == "asked"
    assert found("a > 1 && b > 1 && c > 1", {"a": 2, "b": 0, "c": 2}) == "out"
    assert found("a[0] == 1", {"a": [2]}) == "asked"


def test_a_condition_that_can_never_hold_is_never_asked() -> None:
    assert found("false && a > 1", {"a": 2}) == "out"
    assert found("a in []", {"a": 1}) == "out"


def test_a_rule_found_on_two_ways_is_found_once() -> None:
    sure, unsure = index_of("a == 1 || b == 1").find({"a": 1, "b": 1})
    assert (len(sure), len(unsure)) == (0, 1)


def test_a_telling_field_is_preferred_to_a_boolean() -> None:
    index = index_of("active == true && symbol == 'GM'")
    assert index.find({"active": True, "symbol": "F"}) == ([], [])


def test_long_lists_are_left_to_the_condition() -> None:
    many = ", ".join(str(n) for n in range(MOST_KEYS + 1))
    assert found(f"a in [{many}]", {"a": -5}) == "asked"
    assert found(f"a in [{many}] && b > 1", {"a": -5, "b": 0}) == "out"


def left(index: RuleIndex[str]) -> str:
    return repr(vars(index) | {"_serial": 0, "_open": len(vars(index)["_open"])})


def test_a_name_holds_one_rule_and_removal_leaves_nothing_behind() -> None:
    wheres = [
        "a in [1, 2] && b > 1",
        "a == 1 || a == 1 || b > 3",
        "(a == 1 && c > 1 && d) || (a == 1 && c > 1 && e)",
        "b > 1",
        "b < 1 && c >= 2",
        "size(a) > 1",
        "a.b == 1",
        "false",
    ]
    empty = left(index_of())
    for seed in range(20):
        index = index_of(*wheres)
        index.insert(wheres[0], read_condition("b == 7").tree, "another")
        assert index.find({"b": 7})[0].count("another") == 1
        assert len(index) == len(wheres)
        for where in random.Random(seed).sample(wheres, len(wheres)):
            index.remove(where)
            index.remove(where)
        assert list(index) == []
        assert left(index) == empty


def test_among_ten_thousand_keyed_rules_an_event_meets_a_handful() -> None:
    chance = random.Random(7)
    symbols = [f"S{number}" for number in range(1_000)]
    index: RuleIndex[int] = RuleIndex()
    for number in range(10_000):
        chosen = ", ".join(f'"{one}"' for one in chance.sample(symbols, chance.randint(1, 3)))
        bounds = chance.uniform(0, 10), chance.uniform(0, 1_000)
        where = f"symbol in [{chosen}] && changePercent > {bounds[0]:.3f} && latestPrice > {bounds[1]:.3f}"
        index.insert(str(number), read_condition(where).tree, number)
    sure, unsure = index.find({"symbol": "S5", "changePercent": 5.0, "latestPrice": 500.0})
    assert unsure == []
    assert 0 < len(sure) < 40
