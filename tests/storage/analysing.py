"""A store with datasets of two workspaces in it, and what answers analysts about them."""

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from rules.fold import Present
from rules.ids import canonical_key
from rules.question import Bounds, Scalar, question
from rules.schema.dataset import Dataset
from rules.schema.declare import declare
from storage import datasets
from storage.analysts import Analysts
from storage.postgres.analysts import PostgresAnalysts
from storage.postgres.engine import PostgresStore
from storage.sqlite.analysts import SqliteAnalysts
from storage.store import Store
from storage.upsert import insert_rows
from tests.stage.postgres import fresh_database
from tests.storage.database import opened

DEADLINE = 60.0
SECRET = "what nobody else may read"
QUOTES: dict[str, Any] = {
    "schema": {
        "type": "object",
        "properties": {
            "symbol": {"type": "string"},
            "at": {"type": "string", "format": "date-time"},
            "price": {"type": ["number", "null"]},
            "volume": {"type": ["integer", "null"]},
            "open": {"type": ["boolean", "null"]},
            "more": {"type": ["object", "null"]},
            "Order": {"type": ["string", "null"]},
        },
        "required": ["symbol", "at"],
    },
    "columnMapping": {"key": "symbol", "date": "at"},
}
ROWS: list[dict[str, Any]] = [
    {"symbol": "A", "at": "2023-11-14T22:13:20.123456Z", "price": 1.5, "volume": 2**63 - 1, "open": True},
    {"symbol": "B", "at": "1969-12-31T23:59:59Z", "price": None, "volume": -(2**53) - 1, "open": False},
    {"symbol": "C'; --", "at": "2023-11-14T22:13:21Z", "more": {"x": [1]}, "Order": "first"},
]


@dataclass(frozen=True)
class Desk:
    """Where analysts ask. `acme` has quotes, `beta` a dataset with a secret in it."""

    store: Store
    analysts: Analysts
    address: str

    def ask(self, query: str, workspace: str = "acme", **parameters: Scalar) -> dict[str, Any]:
        """Return an answer, read."""
        said = self.analysts.ask(question(workspace, query, parameters)).result(DEADLINE)
        told: dict[str, Any] = msgspec.json.decode(said)
        return told

    def rows(self, query: str, workspace: str = "acme", **parameters: Scalar) -> list[list[Any]]:
        """Return the rows of an answer."""
        found: list[list[Any]] = self.ask(query, workspace, **parameters)["rows"]
        return found

    def make(self, workspace: str, name: str, **body: Any) -> Dataset:
        """Make a dataset."""
        dataset = declare(workspace, {"datasetId": name, **body}, 0)
        kept = self.store.write(lambda c: datasets.add(c, dataset, 1)).result(DEADLINE)
        assert kept is not None
        return kept

    def put(self, dataset: Dataset, *records: Mapping[str, Any]) -> None:
        """Insert records of a keyed dataset."""
        rows = {
            canonical_key([record[name] for name in dataset.key]): Present(f"id{n}", 1_000 + n, dict(record))
            for n, record in enumerate(records)
        }
        self.store.write(lambda c: insert_rows(c, dataset, 0, rows)).result(DEADLINE)


@contextmanager
def desk(engine: str, path: Path, bounds: Bounds | None = None) -> Iterator[Desk]:
    """Open a store on an engine with both workspaces in it."""
    bounds = bounds or Bounds(seconds=5.0)
    if engine == "postgres":
        with (
            fresh_database() as url,
            closing(PostgresStore(url)) as server,
            closing(PostgresAnalysts(server, url, bounds)) as analysts,
        ):
            yield _furnished(Desk(server, analysts, url))
        return
    with opened(path, engine) as store, closing(SqliteAnalysts(store, path, bounds)) as local:
        yield _furnished(Desk(store, local, str(path)))


def _furnished(made: Desk) -> Desk:
    made.put(made.make("acme", "quotes", **QUOTES), *ROWS)
    vault = {"type": "object", "properties": {"k": {"type": "string"}}, "required": ["k"]}
    made.put(made.make("beta", "vault", schema=vault, columnMapping={"key": "k"}), {"k": SECRET})
    return made
