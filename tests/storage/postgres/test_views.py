"""What analysts have built on a dataset's view, when the dataset changes."""

import logging
from dataclasses import replace

import psycopg
import pytest

from rules.schema.dataset import ColumnType, Dataset
from rules.schema.evolve import Additions, NewType, evolve
from storage import datasets
from storage.postgres.engine import PostgresStore
from tests.stage.postgres import run
from tests.storage.database import made

DEADLINE = 60.0


@pytest.fixture
def dataset(url: str, store: PostgresStore) -> Dataset:
    """A dataset that somebody's view shows, and another one on top of that."""
    properties = {"never": {}, "n": {"type": "integer"}}
    found = made(store, mode="evolve", schema={"type": "object", "properties": properties})
    run(
        url,
        "CREATE SCHEMA lab",
        "CREATE VIEW lab.first AS SELECT * FROM ws_w.d",
        "CREATE VIEW lab.second AS SELECT n FROM lab.first",
    )
    return found


def changed(store: PostgresStore, old: Dataset, additions: Additions) -> Dataset:
    new = evolve(old, additions)
    assert store.write(lambda c: datasets.replace(c, old, new)).result(DEADLINE)
    return new


def columns(url: str, view: str) -> list[str]:
    """Return the columns of a view; none where it is gone."""
    with psycopg.connect(url) as connection:
        if connection.execute("SELECT to_regclass(%s)", [view]).fetchone() == (None,):
            return []
        found = connection.execute(f"SELECT * FROM {view}".encode()).description or []
        return [column.name for column in found]


def test_columns_are_added_under_a_view_that_somebody_built_on(
    url: str, store: PostgresStore, dataset: Dataset
) -> None:
    before = columns(url, "ws_w.d")
    grown = changed(store, dataset, Additions(columns=(NewType("x", ColumnType.STRING),)))
    assert columns(url, "ws_w.d") == [*before, "x"]
    changed(store, grown, Additions(columns=(NewType("y", ColumnType.DATETIME),)))
    assert columns(url, "ws_w.d") == [*before, "x", "y"]
    assert columns(url, "lab.first") == before
    assert columns(url, "lab.second") == ["n"]


def test_a_column_that_was_only_ever_null_joins_the_view_at_its_end(
    url: str, store: PostgresStore, dataset: Dataset
) -> None:
    untyped = changed(store, dataset, Additions(columns=(NewType("u", ColumnType.UNTYPED),)))
    more = changed(store, untyped, Additions(columns=(NewType("x", ColumnType.STRING),)))
    before = columns(url, "ws_w.d")
    assert before[-1] == "x"
    changed(store, more, Additions(columns=(NewType("u", ColumnType.STRING),)))
    assert columns(url, "ws_w.d") == [*before, "u"]
    assert columns(url, "lab.second") == ["n"]


def test_a_view_that_somebody_built_on_follows_its_dataset_to_another_name(
    url: str, store: PostgresStore, dataset: Dataset
) -> None:
    before = columns(url, "ws_w.d")
    renamed = replace(dataset, name="other", version=dataset.version + 1)
    assert store.write(lambda c: datasets.rename(c, dataset, renamed)).result(DEADLINE)
    assert (columns(url, "ws_w.d"), columns(url, "ws_w.other")) == ([], before)
    assert columns(url, "lab.second") == ["n"]
    changed(store, renamed, Additions(columns=(NewType("x", ColumnType.STRING),)))
    assert columns(url, "ws_w.other") == [*before, "x"]


@pytest.mark.parametrize("how", ["widened", "retired"])
def test_what_was_built_on_a_view_that_can_not_stay_goes_with_it_and_is_named(
    url: str, store: PostgresStore, dataset: Dataset, caplog: pytest.LogCaptureFixture, how: str
) -> None:
    with caplog.at_level(logging.WARNING, "storage.views"):
        if how == "widened":
            changed(store, dataset, Additions(widened=("n",)))
        else:
            assert store.write(lambda c: datasets.retire(c, dataset)).result(DEADLINE)
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "lab.first" in caplog.text
    assert bool(columns(url, "ws_w.d")) is (how == "widened")
    assert columns(url, "lab.first") == columns(url, "lab.second") == []


def test_nothing_is_said_of_a_view_that_nobody_built_on(
    url: str, store: PostgresStore, caplog: pytest.LogCaptureFixture
) -> None:
    alone = made(store, "alone", mode="evolve", schema={"properties": {"n": {"type": "integer"}}})
    changed(store, alone, Additions(widened=("n",)))
    assert caplog.records == []
