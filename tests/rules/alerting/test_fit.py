from typing import Any

import pytest

from rules.alerting.fit import fit
from rules.alerting.rule import Rule, read_rule
from rules.errors import BAD_CONDITION, BAD_RULE, RULE_KEY_LACKS_PARTITION, Problem
from rules.limits import Limits
from rules.schema.dataset import ColumnType

COLUMNS = {
    "temp": ColumnType.NUMBER,
    "station": ColumnType.STRING,
    "tags": ColumnType.ARRAY,
    "extra": ColumnType.ANY,
    "at": ColumnType.DATETIME,
}


def rule(**more: Any) -> Rule:
    body = {"id": "hot", "on": "readings", "where": "temp > 30"} | more
    return read_rule("acme", body, now=0, limits=Limits())


def refused(**more: Any) -> Problem:
    with pytest.raises(Problem) as caught:
        fit(rule(**more), COLUMNS, ())
    return caught.value


def test_a_rule_that_fits_has_no_warnings() -> None:
    where = 'temp > 30 && at > "2024-01-01" && _time > "2024-01-01" && extra.a == 1'
    assert fit(rule(where=where, key=["station", "extra"], message="{{ temp }} {{ _id }}"), COLUMNS, ()) == []


def test_a_dataset_that_is_not_there_yet_is_a_warning() -> None:
    (warning,) = fit(rule(), None, ())
    assert "'readings'" in warning


def test_a_field_the_dataset_lacks_is_refused_with_a_suggestion() -> None:
    problem = refused(where="true && temq > 30")
    assert problem.code is BAD_CONDITION
    assert problem.extra["position"] == 8
    assert "did you mean 'temp'" in problem.detail
    problem = refused(key=["statoin"])
    assert problem.code is BAD_RULE
    assert "did you mean 'station'?" in problem.detail
    assert "did you mean 'temp'?" in refused(message="{{ temmp }}").detail


def test_unlike_types_and_keys_of_lists_are_refused() -> None:
    assert refused(where="temp == 'x'").code is BAD_CONDITION
    assert "can't be a key" in refused(key=["tags"]).detail
    assert refused(where='at > "yesterday"').code is BAD_CONDITION


def test_a_key_without_the_partition_columns_is_refused_and_names_them() -> None:
    assert fit(rule(key=["station", "temp"]), COLUMNS, ("station",)) == []
    with pytest.raises(Problem) as caught:
        fit(rule(key=["temp"]), COLUMNS, ("station",))
    assert caught.value.code is RULE_KEY_LACKS_PARTITION
    assert "add station" in caught.value.detail
