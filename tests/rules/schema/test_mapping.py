from typing import Any

import pytest

from rules.errors import BAD_MAPPING, PARTITION_NOT_IN_KEY, Problem
from rules.limits import Limits
from rules.schema.dataset import Column, ColumnType
from rules.schema.mapping import Identity, read_mapping, read_partition

T = ColumnType
KINDS = {
    "id": T.STRING,
    "n": T.INTEGER,
    "day": T.DATE,
    "at": T.DATETIME,
    "o": T.OBJECT,
    "any": T.ANY,
    "nil": T.UNTYPED,
}
COLUMNS = {name: Column(name, kind, n) for n, (name, kind) in enumerate(KINDS.items(), start=1)}
MANY = {f"k{n}": Column(f"k{n}", T.STRING, n) for n in range(33)}
SCHEMA = {
    "properties": {
        "id": {"type": "string"},
        "n": {"type": ["integer", "null"]},
        "o": {"type": "object"},
        "x": {"type": "string"},
    },
    "required": ["id", "n", "o"],
}


@pytest.mark.parametrize(
    ("body", "identity"),
    [
        (None, Identity()),
        ({}, Identity()),
        ({"key": []}, Identity()),
        ({"key": "id"}, Identity(("id",))),
        ({"key": ["n", "id"]}, Identity(("n", "id"))),
        ({"date": "day", "subkey": "n", "key": "id"}, Identity(("id", "n", "day"), "n", "day")),
        ({"key": ["at", "id"], "date": "at"}, Identity(("at", "id"), None, "at")),
        ({"key": "id", "subkey": None, "date": None}, Identity(("id",))),
    ],
)
def test_the_key_is_key_then_subkey_then_date(body: Any, identity: Identity) -> None:
    assert read_mapping(body, COLUMNS, Limits()) == identity


@pytest.mark.parametrize(
    "body",
    [
        5,
        {"keys": "id"},
        {"key": "none"},
        {"key": 5},
        {"key": [["id"]]},
        {"key": ["id", "id"]},
        {"key": "o"},
        {"key": "any"},
        {"key": "nil"},
        {"subkey": ["id"]},
        {"date": "id"},
        {"date": "n"},
    ],
)
def test_a_mapping_that_does_not_fit_the_columns_is_refused(body: Any) -> None:
    with pytest.raises(Problem) as caught:
        read_mapping(body, COLUMNS, Limits())
    assert caught.value.code is BAD_MAPPING


def test_a_key_of_32_columns_is_taken_and_one_of_33_is_not() -> None:
    assert len(read_mapping({"key": list(MANY)[:32]}, MANY, Limits()).key) == 32
    with pytest.raises(Problem, match="33 columns"):
        read_mapping({"key": list(MANY)}, MANY, Limits())


@pytest.mark.parametrize(
    ("body", "key", "names"),
    [
        (None, ("id",), ()),
        ([], (), ()),
        ("id", ("id", "n"), ("id",)),
        (["n", "id"], ("id", "n"), ("n", "id")),
        (["id"], (), ("id",)),
    ],
)
def test_records_are_parted_by_columns_that_are_always_there(
    body: Any, key: tuple[str, ...], names: tuple[str, ...]
) -> None:
    assert read_partition(body, Identity(key), SCHEMA) == names


@pytest.mark.parametrize(
    ("body", "key"),
    [
        (["x"], ("id",)),
        (5, ("id",)),
        (["id", "id"], ("id",)),
        ([5], ("id",)),
        (["x"], ()),
        (["n"], ()),
        (["o"], ()),
    ],
)
def test_other_columns_do_not_part_records(body: Any, key: tuple[str, ...]) -> None:
    with pytest.raises(Problem) as caught:
        read_partition(body, Identity(key), SCHEMA)
    assert caught.value.code is PARTITION_NOT_IN_KEY
