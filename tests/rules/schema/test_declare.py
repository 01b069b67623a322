from typing import Any

import pytest

from rules.errors import BAD_NAME, BAD_PARAMETER, BAD_REQUEST, BAD_SCHEMA, Code, Problem
from rules.schema.check import Checker
from rules.schema.dataset import Column, ColumnType
from rules.schema.declare import declare, on_demand
from rules.schema.evolve import evolve

T = ColumnType
SCHEMA = {
    "type": "object",
    "properties": {
        "station": {"type": "string"},
        "sensor": {"type": "string"},
        "at": {"type": "string", "format": "date-time"},
        "temp": {"type": ["number", "null"]},
    },
}
BODY = {
    "datasetId": "Readings",
    "title": "Weather",
    "schema": SCHEMA,
    "columnMapping": {"key": "station", "subkey": "sensor", "date": "at"},
    "partitionBy": ["station"],
    "retention": "90d",
}


@pytest.mark.parametrize("body", [BODY, {"dataset": BODY}])
def test_a_declaration_makes_version_one_of_a_strict_dataset(body: Any) -> None:
    dataset = declare("acme", body, 7)
    assert (dataset.id, dataset.workspace, dataset.name, dataset.version) == (7, "acme", "Readings", 1)
    assert dataset.schema == SCHEMA
    assert dataset.columns == (
        Column("station", T.STRING, 1),
        Column("sensor", T.STRING, 2),
        Column("at", T.DATETIME, 3),
        Column("temp", T.NUMBER, 4),
    )
    assert dataset.key == ("station", "sensor", "at")
    assert (dataset.subkey, dataset.date, dataset.partition_by) == ("sensor", "at", ("station",))
    assert (dataset.mode, dataset.title, dataset.retention) == ("strict", "Weather", "90d")
    assert (dataset.made_as, dataset.declared) == ("readings", True)


def test_without_a_schema_it_starts_empty_and_evolves() -> None:
    dataset = declare("acme", {"datasetId": "d"}, 1)
    assert (dataset.mode, dataset.columns, dataset.key, dataset.declared) == ("evolve", (), (), True)
    verdict = Checker(dataset).check([{"a": 1}], plain=True)
    assert [column.name for column in evolve(dataset, verdict.additions).columns] == ["a"]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"datasetId": None}, BAD_REQUEST),
        ({"datasetId": "a-b"}, BAD_NAME),
        ({"datasetId": "_a"}, BAD_NAME),
        ({"mode": "loose"}, BAD_PARAMETER),
        ({"mode": ["strict"]}, BAD_PARAMETER),
        ({"title": 5}, BAD_PARAMETER),
        ({"title": "x" * 257}, BAD_PARAMETER),
        ({"retention": "soon"}, BAD_PARAMETER),
        ({"retention": "0d"}, BAD_PARAMETER),
        ({"retention": 90}, BAD_PARAMETER),
        ({"schema": None, "mode": "strict"}, BAD_SCHEMA),
        ({"schema": []}, BAD_SCHEMA),
    ],
)
def test_what_a_declaration_may_not_say_is_refused(change: dict[str, Any], code: Code) -> None:
    with pytest.raises(Problem) as caught:
        declare("acme", BODY | change, 1)
    assert caught.value.code is code


@pytest.mark.parametrize("body", [None, [], "x", {"dataset": 5}])
def test_a_body_that_is_no_object_is_refused(body: Any) -> None:
    with pytest.raises(Problem) as caught:
        declare("acme", body, 1)
    assert caught.value.code is BAD_REQUEST


@pytest.mark.parametrize("workspace", ["create", "a b"])
def test_a_workspace_must_have_a_name_that_is_allowed(workspace: str) -> None:
    for make in (lambda: declare(workspace, BODY, 1), lambda: on_demand(workspace, "d", 1)):
        with pytest.raises(Problem) as caught:
            make()
        assert caught.value.code is BAD_NAME


def test_a_dataset_made_on_demand_is_what_its_first_records_ask_for() -> None:
    empty = on_demand("acme", "Quotes", 3)
    assert (empty.version, empty.columns, empty.key, empty.mode, empty.declared) == (
        1,
        (),
        (),
        "evolve",
        False,
    )
    verdict = Checker(empty).check([{"symbol": "AAPL", "price": 5}, {"price": 5.5}], plain=True)
    dataset = on_demand("acme", "Quotes", 3, verdict.additions)
    assert dataset.columns == (Column("symbol", T.STRING, 1), Column("price", T.NUMBER, 2))
    assert dataset.schema["properties"]["price"] == {"type": ["number", "null"]}
    assert (dataset.version, dataset.made_as) == (1, "quotes")
    assert not Checker(dataset).check(verdict.records, plain=True).additions
