"""The log of a job's invalid records, as it is sent: page by page from the store, never whole in memory."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Final

from starlette.responses import StreamingResponse
from starlette.types import Send

from api.batch.report import CSV_HEADER, invalid_csv, invalid_json
from rules.job import Invalid, Job
from storage import jobs
from storage.store import Store
from streams.awaiting import on_loop

LISTED: Final = 100_000
"""Entries that are told of."""

PAGE: Final = 200
"""Entries that are read at once: a few hundred kilobytes at the most, and a millisecond of the loop."""


class InvalidLog(StreamingResponse):
    """An answer that reads the log as fast as it is taken."""

    def __init__(self, body: AsyncGenerator[bytes, None], media_type: str, headers: dict[str, str]) -> None:
        super().__init__(body, headers={**headers, "content-type": media_type})
        self._body = body

    async def stream_response(self, send: Send) -> None:
        async with aclosing(self._body):
            await super().stream_response(send)


async def first_page(store: Store, job: Job) -> list[Invalid]:
    """Return how the log begins. Raises: Later."""
    return await _page(store, job, PAGE, None)


async def as_csv(store: Store, job: Job, first: list[Invalid]) -> AsyncGenerator[bytes, None]:
    """Yield the log as CSV (jobId, lineNumber, error), whose first page is there."""
    yield CSV_HEADER
    async with aclosing(_pages(store, job, first)) as pages:
        async for page in pages:
            yield b"".join([invalid_csv(one, job.id) for one in page])


async def as_json(store: Store, job: Job, first: list[Invalid]) -> AsyncGenerator[bytes, None]:
    """Yield the log as an array of JSON, whose first page is there."""
    before = b"["
    async with aclosing(_pages(store, job, first)) as pages:
        async for page in pages:
            yield before + b",".join([invalid_json(one, job.id) for one in page])
            before = b","
    yield b"[]" if before == b"[" else b"]"


async def _pages(store: Store, job: Job, first: list[Invalid]) -> AsyncGenerator[list[Invalid], None]:
    page, told = first, 0
    while page:
        yield page
        told += len(page)
        page = await _page(store, job, min(PAGE, LISTED - told), page[-1])


async def _page(store: Store, job: Job, limit: int, after: Invalid | None) -> list[Invalid]:
    return await on_loop(store.read(lambda c: jobs.invalid(c, job, limit, after)))
