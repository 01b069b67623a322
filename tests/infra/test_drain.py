"""The log of an embedded broker is applied to its end before its database moves, or it is said what stays."""

from pathlib import Path

import pytest
from sqlalchemy import update

from infra import drain
from infra.drain import DrainError, alone, ends_of, left, open_alone
from infra.settings import Settings, load
from storage.offsets import OFFSETS
from streams.log import LogLocked
from tests.stage.broker import running_broker
from tests.stage.stored import stored, write

RECORDS = 500


async def stopped(data: Path) -> Settings:
    """Have a broker take records and stop; return the settings of one that is alone with its data."""
    async with running_broker(data) as client:
        rows = [{"n": n} for n in range(RECORDS)]
        assert (await client.post("/v1/write/acme/d", json=rows)).status == 200
    return alone(load({"data": data, "free_disk": "1MB"}))


def applied_less(data: Path, **more: int) -> None:
    """Have the judge's place say that none of its events was judged."""
    where = (OFFSETS.c.role == "judge") & (OFFSETS.c.next > 0)
    write(data, lambda c: c.execute(update(OFFSETS).where(where).values(next=0, **more)))


async def what_is_left(settings: Settings) -> str:
    log, store = await open_alone(settings)
    try:
        return str(store.read(lambda c: left(c, log.identity, ends_of(log))).result(10))
    finally:
        store.close()
        await log.close()


async def test_what_is_left_is_applied_and_said(tmp_path: Path) -> None:
    settings = await stopped(tmp_path)
    said: list[str] = []
    await drain.drain(settings, said.append)
    assert said == []
    applied_less(tmp_path)
    assert "for judge" in await what_is_left(settings)
    await drain.drain(settings, said.append)
    assert len(said) == 1
    assert said[0].startswith("The log is applied first: ")
    assert await what_is_left(settings) == "nothing"
    assert len(stored(tmp_path, "acme", "d")) == RECORDS


async def test_what_can_not_be_applied_is_said_after_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = await stopped(tmp_path)
    # another worker holds it by a better right, and will never come back
    applied_less(tmp_path, generation=10**6)
    monkeypatch.setattr(drain, "STUCK_AFTER", 3.0)
    with pytest.raises(DrainError, match="look at /ready"):
        await drain.drain(settings, print)


async def test_a_broker_that_runs_keeps_its_log(tmp_path: Path) -> None:
    async with running_broker(tmp_path):
        with pytest.raises(LogLocked):
            await open_alone(alone(load({"data": tmp_path})))


def test_it_listens_where_nobody_was_told_of(tmp_path: Path) -> None:
    given = load({"data": tmp_path, "log": "kafka://k:1", "database": "postgresql://d/d", "host": "0.0.0.0"})
    settings = alone(given)
    assert (settings.log, settings.database) == ("embedded://", None)
    assert (settings.host, settings.port) == ("127.0.0.1", 0)
