"""Bytes of loads in the log: in chunks whose places are known, bounded, gone once nobody needs them."""

import asyncio
import gzip
import itertools
import time
import zlib
from collections.abc import AsyncIterator, MutableMapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.batch import upload as upload_module
from api.batch.reading import chunks
from api.batch.upload import CHUNK, Uploaded, Uploads
from api.entry import body as body_module
from api.entry.pressure import Pressure
from rules.errors import Problem
from rules.job import Source
from streams.backlog import Backlog
from streams.embedded.log import EmbeddedLog, LogPlan
from streams.topics import UPLOADS
from tests.api.batch.test_shared import holding
from tests.api.entry.test_pace import pieces

MB = 1024 * 1024


@asynccontextmanager
async def logged(directory: Path, partitions: int = 1) -> AsyncIterator[EmbeddedLog]:
    plan = LogPlan(directory, (UPLOADS,), partitions, segment_bytes=2 * MB)
    log = await EmbeddedLog.open(plan, lambda: time.time_ns() // 1_000_000)
    try:
        yield log
    finally:
        await log.close()


def uploads(log: EmbeddedLog, most: int = 64 * MB, room: int = 4 * MB, free: int = 2**40) -> Uploads:
    return Uploads(log, Pressure(Backlog(log.partitions, MB, 60), lambda: free, 1), most, room)


async def sent(to: Uploads, body: list[bytes], workspace: str = "w") -> Uploaded:
    async with to.begin(workspace) as upload:
        for piece in body:
            await upload.add(piece)
        return await upload.end()


async def read(log: EmbeddedLog, one: Uploaded, begin: int = 0) -> bytes:
    source = Source("d", "d", 0, one.runs, one.size)
    return b"".join([chunk async for chunk in chunks(log, one.partition, source, begin)])


@given(
    sizes=st.lists(st.lists(st.integers(1, 300_000), max_size=8), min_size=1, max_size=3),
    share=st.floats(0, 1),
)
@settings(max_examples=25, deadline=None)
async def test_what_came_in_pieces_is_read_back_from_any_byte_on(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[list[int]], share: float
) -> None:
    async with logged(tmp_path_factory.mktemp("log")) as log:
        to = uploads(log)
        bodies = [[bytes([n % 256]) * size for n, size in enumerate(each)] for each in sizes]
        done = await asyncio.gather(*(sent(to, body) for body in bodies))
        for one, body in zip(done, bodies, strict=True):
            whole = b"".join(body)
            assert one.size == len(whole)
            assert await read(log, one) == whole
            begin = int(share * one.size)
            assert await read(log, one, begin) == whole[begin:]
            assert all(size <= CHUNK for _, _, size in one.runs)


async def test_a_long_body_is_few_runs_and_parts_of_one_body_are_apart(tmp_path: Path) -> None:
    async with logged(tmp_path) as log:
        async with uploads(log).begin("w") as upload:
            for _ in range(64):
                await upload.add(b"x" * 100_000)
            first = await upload.end()
            await upload.add(b"y" * 10)
            second = await upload.end()
        assert len(first.runs) == 2
        assert await read(log, second) == b"y" * 10


async def test_bodies_that_find_no_room_wait_for_it_and_none_is_refused(tmp_path: Path) -> None:
    async with logged(tmp_path, 4) as log:
        to = uploads(log, room=2 * MB)
        body = [b"x" * 65_536] * 40
        done = await asyncio.gather(*(sent(to, body, "wv"[n % 2]) for n in range(16)))
        assert {one.size for one in done} == {40 * 65_536}


async def test_more_bodies_at_once_than_may_be_are_told_so(tmp_path: Path) -> None:
    async with logged(tmp_path) as log:
        to = uploads(log, room=upload_module.LEAST * 4)
        async with to.begin("w"), to.begin("v"):
            with pytest.raises(Problem, match="loads are being received"):
                async with to.begin("u"):
                    raise AssertionError("it was taken")
        async with to.begin("u"):
            pass


async def test_one_workspace_has_half_of_the_places_and_others_find_theirs(tmp_path: Path) -> None:
    async with logged(tmp_path) as log:
        to = uploads(log, room=upload_module.LEAST * 8)
        async with to.begin("w"), to.begin("W"):
            with pytest.raises(Problem, match="loads of the workspace"):
                async with to.begin("w"):
                    raise AssertionError("it was taken")
            async with to.begin("v"), to.begin("u"):
                pass
        async with to.begin("w"):
            pass


async def test_a_byte_now_and_then_is_too_slow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body_module, "_GRACE", 0.1)
    async with logged(tmp_path) as log, uploads(log).begin("w") as upload:
        with pytest.raises(Problem, match="are the least"):
            await upload.receive(pieces(1000, 0.01), {})


async def test_what_gives_no_bytes_ends_too(tmp_path: Path) -> None:
    gzipped, empty = {b"content-encoding": b"gzip"}, gzip.compress(b"")

    async def receive() -> MutableMapping[str, Any]:
        return {"type": "http.request", "body": piece, "more_body": True}

    # a member of nothing, and blocks of nothing within one member
    packer = zlib.compressobj(wbits=31)
    piece, blocks = empty * 500, packer.compress(b"") + packer.flush(zlib.Z_FULL_FLUSH)
    async with logged(tmp_path) as log:
        async with uploads(log).begin("w") as upload:
            with pytest.raises(Problem, match="bad_encoding"):
                await upload.receive(receive, gzipped)
        piece = b"\x00\x00\x00\xff\xff" * 10_000
        async with uploads(log, most=MB).begin("w") as upload:
            started = itertools.chain([blocks], itertools.repeat(piece))

            async def going_on() -> MutableMapping[str, Any]:
                return {"type": "http.request", "body": next(started), "more_body": True}

            with pytest.raises(Problem, match="body_too_large"):
                await upload.receive(going_on, gzipped)


async def test_who_waits_for_room_is_not_called_slow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body_module, "_GRACE", 0.1)
    monkeypatch.setattr(body_module, "_PACE", 2**40)
    async with logged(tmp_path) as log:
        to = uploads(log, room=MB)
        async with to.begin("v") as first, to.begin("u") as second, to.begin("w") as upload:
            await first.add(b"x" * (CHUNK - 1))
            await second.add(b"x" * (CHUNK - 1))
            coming = asyncio.create_task(upload.receive(pieces(2, 0.0, 100), {}))
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(asyncio.shield(coming), 0.3)
            first.let_go()
            await coming


async def test_who_waits_too_long_for_room_is_told_so(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(upload_module, "PATIENCE", 0.05)
    async with logged(tmp_path) as log:
        to = uploads(log, room=MB)
        async with to.begin("w") as first, to.begin("v") as second:
            await first.add(b"x" * (CHUNK - 1))
            await second.add(b"x" * (CHUNK - 1))
            async with to.begin("u") as third:
                with pytest.raises(Problem, match="overloaded"):
                    await third.add(b"xxx")
                first.let_go()
                await third.add(b"xxx")


async def test_bytes_that_the_caller_holds_wait_for_nobody(tmp_path: Path) -> None:
    async with logged(tmp_path) as log:
        to = uploads(log, room=MB)
        async with to.begin("w") as full, to.begin("v") as other, to.begin("w", held=True) as whole:
            await full.add(b"x" * (CHUNK - 1))
            await other.add(b"x" * (CHUNK - 1))
            await whole.add(b"y" * 3 * MB)
            assert (await whole.end()).size == 3 * MB


async def test_a_full_disk_ends_an_upload_by_name(tmp_path: Path) -> None:
    async with logged(tmp_path) as log:
        with pytest.raises(Problem, match="disk_low"):
            await sent(uploads(log, free=0), [b"x"])


async def test_an_upload_that_ends_while_it_is_asked_what_jobs_hold_keeps_its_bytes(tmp_path: Path) -> None:
    async with logged(tmp_path) as log:
        to = uploads(log)
        body = [b"x" * 500_000] * 8
        await sent(to, body)
        made: list[Uploaded] = []

        async def held() -> dict[int, int]:
            async with to.begin("w") as upload:
                for piece in body:
                    await upload.add(piece)
                made.append(await upload.end())
            await sent(to, body)  # behind it, for what is written to last is never dropped
            return {}  # as it was read before the upload's job was made

        assert await to.trim(held, 0) > 0
        assert log.bounds(UPLOADS, 0)[0] <= made[0].runs[0][0], "its first bytes are gone from the disk"


async def test_bytes_that_no_job_and_no_upload_needs_are_dropped(tmp_path: Path) -> None:
    async with logged(tmp_path) as log:
        to = uploads(log)
        body = [b"x" * 500_000] * 8
        first = await sent(to, body)
        async with to.begin("w") as upload:
            for piece in body:
                await upload.add(piece)
            under_way = await upload.end()
            assert await to.trim(holding({0: first.runs[0][0]}), 0) == 0
            assert await to.trim(holding({}), 0) > 0
            assert await read(log, under_way) == b"".join(body)
        before = log.size(UPLOADS)
        await to.trim(holding({}), 0)
        assert log.size(UPLOADS) < before
