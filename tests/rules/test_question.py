"""What can be said of a question without a database."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.errors import BAD_PARAMETER, BAD_QUERY, NOT_A_SELECT, Code, Problem
from rules.question import PARAMETERS, QUERY_BYTES, question


def refusal(query: object, parameters: object = None) -> Code:
    with pytest.raises(Problem) as refused:
        question("acme", query, parameters)
    return refused.value.code


@pytest.mark.parametrize(
    "query",
    [
        "SELECT 1",
        "select 1",
        "\n\t with x AS (SELECT 1) SELECT * FROM x",
        "VALUES (1)",
        "-- a comment\n/* another -- one */ SELECT 1",
        "/**/SELECT/**/1",
        "/*/ not the end */ SELECT 1",
    ],
)
def test_a_query_begins_with_select_with_or_values(query: str) -> None:
    assert question("acme", query, None).query == query


@pytest.mark.parametrize(
    "query",
    [
        "DELETE FROM x",
        "(SELECT 1)",
        "-- SELECT 1",
        "/* SELECT 1 */",
        "/* SELECT 1",
        "/* x */ UPDATE x",
        "SELECTED",
        "EXPLAIN SELECT 1",
        "\u00a0SELECT 1",
    ],
)
def test_any_other_first_word_is_refused(query: str) -> None:
    assert refusal(query) is NOT_A_SELECT


@pytest.mark.parametrize(
    "query", [None, 1, ["SELECT 1"], {}, "", " \n", "SELECT '\0'", "SELECT " + "x" * QUERY_BYTES]
)
def test_what_is_no_query_is_refused(query: object) -> None:
    assert refusal(query) is BAD_QUERY


@given(st.text("/*- \nSELECTx", max_size=200))
def test_any_text_is_taken_or_refused(text: str) -> None:
    try:
        question("acme", text, None)
    except Problem as refused:
        assert refused.code in (BAD_QUERY, NOT_A_SELECT)


@pytest.mark.parametrize("piece", ["/**/", "/*", "--", "-- \n", " ", "/* */ ", "*/"])
def test_a_long_beginning_takes_no_long_time(piece: str) -> None:
    assert refusal(piece * (60_000 // len(piece)) + "1") in (NOT_A_SELECT, BAD_QUERY)


@pytest.mark.parametrize("value", [None, True, 0, -(2**63), 2**63 - 1, 1.5, "", "ü", "x" * 1000])
def test_a_parameter_is_one_value(value: Any) -> None:
    assert question("acme", "SELECT :a", {"a": value}).parameters == {"a": value}


@pytest.mark.parametrize(
    "parameters",
    [
        *([], "a", 1, {"a": []}, {"a": {}}, {"a": 2**63}, {"a": -(2**63) - 1}, {"a": "\0"}, {"": 1}),
        *({"1": 1}, {"a b": 1}, {":a": 1}, {"ä": 1}, {"a": float("inf")}, {"a" * 65: 1}),
        *({"a": "x" * (1024 * 1024 + 1)}, {f"a{n}": n for n in range(PARAMETERS + 1)}),
    ],
)
def test_what_is_no_value_or_no_name_is_refused(parameters: object) -> None:
    assert refusal("SELECT :a", parameters) is BAD_PARAMETER
