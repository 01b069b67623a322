import time

import pytest

from rules.condition.condition import ConditionError, read_condition


def refusal(source: str) -> ConditionError:
    with pytest.raises(ConditionError) as caught:
        read_condition(source)
    return caught.value


@pytest.mark.parametrize(
    ("source", "position", "message"),
    [
        (
            "a.startWith('x')",
            2,
            "the unknown function 'startWith' at character 3; did you mean startsWith()?",
        ),
        ("len(a) > 1", 0, "the unknown function 'len' at character 1; there are has, startsWith"),
        ("a.sizes() > 1", 2, "did you mean size()?"),
        ("a.match('x')", 2, "did you mean matches()?"),
        ("a.exists(x, x > 1)", 2, "unexpected 'exists(' at character 3; macros such as all() and exists()"),
        ("a.all(x, true)", 2, "macros"),
        ("a.map(x, x)", 2, "macros"),
        ("timestamp(a) > timestamp('2024-01-01T00:00:00Z')", 0, "functions of time are not supported"),
        ("a.getFullYear() == 2024", 2, "functions of time are not supported"),
        ("duration('1h') > a", 0, "functions of time are not supported"),
        ("int(a) > 1", 0, "conversions are not supported"),
        ("a > double(1)", 4, "conversions are not supported"),
        ("startsWith(a, 'x')", 0, "a wrong use of startsWith() at character 1; write x.startsWith(text)"),
        ("a.has(b)", 2, "write has(x)"),
        ("a.startsWith()", 2, "write x.startsWith(text)"),
        ("a.startsWith('x', 'y')", 2, "write x.startsWith(text)"),
        ("a.size(1)", 2, "write x.size()"),
        ("size()", 0, "write x.size()"),
        ("size(a, b)", 0, "write x.size()"),
        ("matches(a)", 0, "write x.matches(text)"),
        ("has()", 0, "it takes one field: has(a) or has(a.b)"),
        ("has(a, b)", 0, "it takes one field"),
        ("has(1)", 0, "it takes one field"),
        ("has(a == 1)", 0, "it takes one field"),
        (
            "a.matches(b)",
            10,
            "a pattern that is no text literal at character 11; matches() takes a fixed one",
        ),
        ("a.matches('x' + 'y')", 14, "a pattern that is no text literal"),
        ("a.matches('(')", 10, "a pattern that RE2 refuses (missing ): () at character 11"),
        ("a.matches('(?=x)')", 10, "a pattern that RE2 refuses"),
        (r"a.matches(r'(a)\1')", 10, "a pattern that RE2 refuses"),
        ("a.matches('(a{500}){500}')", 10, "a pattern that RE2 refuses"),
    ],
)
def test_a_wrong_call_is_refused_with_its_place_and_the_right_way(
    source: str, position: int, message: str
) -> None:
    error = refusal(source)
    assert message in str(error)
    assert error.position == position


def test_an_unknown_function_is_refused_before_its_arguments_are_read() -> None:
    assert "unknown function 'foo'" in str(refusal("foo(((((("))


def test_patterns_are_bounded_in_number() -> None:
    assert read_condition(" || ".join(["a.matches('x')"] * 16))
    assert "more than 16 patterns" in str(refusal(" || ".join(["a.matches('x')"] * 17)))


def test_patterns_are_bounded_in_size_all_together() -> None:
    assert read_condition("a.matches('(?:x?){700}')")
    assert "patterns that are too large together" in str(
        refusal(" || ".join(["a.matches('(?:x?){400}')"] * 2))
    )


@pytest.mark.parametrize("pattern", ["(a+)+$", "(x+x+)+y", "(?:(?:a|b)?){350}c", "(a|b)*a(a|b){20}c"])
def test_no_pattern_takes_exponential_time(pattern: str) -> None:
    condition = read_condition(f"a.matches('{pattern}')")
    begun = time.perf_counter()
    assert condition.matches({"a": "ab" * 10_000 + "!"}) is False
    assert time.perf_counter() - begun < 5
