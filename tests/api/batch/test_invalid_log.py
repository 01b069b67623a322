"""The log of invalid records, however long it is: all of it, in its order, and one page of it in memory."""

import csv
import io
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from api.batch import invalid_log
from api.batch.invalid_log import as_csv, as_json, first_page
from api.batch.loads import Wanted, new_job
from rules.job import Definition, Invalid, Job
from storage import jobs
from storage.store import Store
from tests.api.batch.loading import invalid, loaded
from tests.stage.broker import running_broker
from tests.storage.database import opened

ROWS = 2_000


class Noting:
    """A store that notes how often it was read."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.reads = 0

    def read(self, body: Callable[[Any], Any]) -> Future[Any]:
        self.reads += 1
        return self.store.read(body)


def failed(store: Store, entries: int) -> Job:
    job = store.write(lambda c: jobs.add(c, new_job(Wanted("w", Definition(0, []), "d"), 1))).result(5)
    found = [Invalid(n // 70, n // 7, n + 2, "/a", "wrong_type", "no", n % 7) for n in range(entries)]
    store.write(lambda c: jobs.keep_invalid(c, job, found[::-1])).result(5)
    return job


async def test_the_log_is_whole_in_either_form(tmp_path: Path) -> None:
    async with running_broker(tmp_path) as client:
        body = b'{"a": 1}\n' + b"1\n" * ROWS
        job = await loaded(client, "acme/d", body)
        entries = await invalid(client, "acme", job)
        assert [one["lineNumber"] for one in entries] == list(range(2, ROWS + 2))
        text = (await client.get(f"/v1/jobs/acme/ingest/{job['jobId']}/invalid-records-log")).body.decode()
        rows = list(csv.DictReader(io.StringIO(text)))
        assert [(row["lineNumber"], row["error"]) for row in rows] == [
            (str(one["lineNumber"]), one["error"]) for one in entries
        ]
        good = await loaded(client, "acme/e", b'{"a": 1}\n')
        assert await invalid(client, "acme", good) == []


async def test_the_next_page_is_read_once_the_last_one_was_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(invalid_log, "PAGE", 10)
    monkeypatch.setattr(invalid_log, "LISTED", 195)
    with opened(tmp_path / "test.db", "sqlite") as store:
        job = failed(store, 200)
        for form in (as_csv, as_json):
            noting: Any = Noting(store)
            body: AsyncGenerator[bytes, None] = form(noting, job, await first_page(noting, job))
            pieces: list[bytes] = []
            async for piece in body:
                pieces.append(piece)
                assert noting.reads <= len(pieces)
            entries = b"".join(pieces).count(b"line ")
            assert (entries, max(piece.count(b"line ") for piece in pieces)) == (195, 10)
