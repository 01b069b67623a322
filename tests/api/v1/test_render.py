"""Records as JSON, NDJSON and CSV."""

import csv
import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.v1 import render as module
from api.v1.render import form_of, render
from rules.errors import Problem

CELLS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"))
)
RECORDS = st.lists(st.fixed_dictionaries({"a": CELLS, "b": CELLS}), max_size=5)


def rendered(name: str, *records: dict[str, Any], turned: bool = False) -> str:
    return render(form_of(name, ["a", "b"]), records, turned=turned).decode()


def test_csv_has_a_header_and_nested_values_as_json_and_null_as_nothing() -> None:
    text = rendered("csv", {"a": {"x": [1, "é"]}, "b": None}, {"a": True, "b": 'say "hi", twice'})
    assert text == 'a,b\r\n"{""x"":[1,""é""]}",\r\ntrue,"say ""hi"", twice"\r\n'


def test_nothing_is_an_empty_array_or_no_line_or_the_header_alone() -> None:
    assert (rendered("json"), rendered("ndjson"), rendered("csv")) == ("[]", "", "a,b\r\n")


def test_records_can_be_turned_round() -> None:
    one, two = {"a": 1, "b": None}, {"a": 2, "b": None}
    assert json.loads(rendered("json", one, two, turned=True)) == [two, one]
    assert rendered("csv", one, two, turned=True) == "a,b\r\n2,\r\n1,\r\n"


@given(RECORDS)
def test_json_and_ndjson_read_back_as_they_were(records: list[dict[str, Any]]) -> None:
    assert json.loads(rendered("json", *records)) == records
    assert [json.loads(line) for line in rendered("ndjson", *records).split("\n") if line] == records


@given(RECORDS)
def test_csv_reads_back_as_text(records: list[dict[str, Any]]) -> None:
    def cell(value: Any) -> str:
        return value if isinstance(value, str) else "" if value is None else json.dumps(value)

    rows = list(csv.reader(io.StringIO(rendered("csv", *records), newline="")))
    assert rows == [["a", "b"], *([cell(r["a"]), cell(r["b"])] for r in records)]


def test_a_page_that_grows_too_large_is_refused_with_advice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAGE_BYTES", 40)
    with pytest.raises(Problem, match="ask for fewer records with limit"):
        rendered("json", *({"a": "x" * 10, "b": None} for _ in range(3)))
