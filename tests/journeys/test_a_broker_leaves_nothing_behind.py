"""A broker writes to its data directory and nowhere else."""

from pathlib import Path

import pytest

from tests.stage.broker import running_broker


async def test_a_broker_writes_nothing_into_the_directory_it_was_started_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started_in = tmp_path / "here"
    started_in.mkdir()
    monkeypatch.chdir(started_in)
    async with running_broker(tmp_path / "data") as client:
        assert (await client.post("/v1/write/acme/d", json={"a": 1})).status == 200
    assert list(started_in.iterdir()) == []
