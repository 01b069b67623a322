"""`sluice check` on the embedded log: it says what is wrong, and changes nothing."""

from pathlib import Path
from shutil import rmtree

import pytest

from infra.checks import problems_with
from infra.settings import Settings, load
from tests.stage.broker import running_broker


def settings_of(data: Path) -> Settings:
    return load({"data": data, "free_disk": "1MB", "partitions": 4})


def files(data: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in data.rglob("*") if path.is_file()}


@pytest.mark.parametrize("made", [False, True])
async def test_a_check_makes_no_log_and_fixes_no_partitions(tmp_path: Path, made: bool) -> None:
    data = tmp_path / "data"
    if made:
        (data / "log").mkdir(parents=True)
    assert await problems_with(settings_of(data)) == []
    assert files(tmp_path) == {}
    assert data.exists() is made


async def test_a_check_says_that_the_log_of_a_database_is_not_there(tmp_path: Path) -> None:
    async with running_broker(tmp_path, partitions=4) as client:
        assert (await client.post("/v1/write/acme/d", json=[{"a": 1}])).status == 200
    assert await problems_with(settings_of(tmp_path)) == []
    rmtree(tmp_path / "log")
    (found,) = await problems_with(settings_of(tmp_path))
    assert found.startswith("log: the database in ") and "no log is there" in found
    assert not (tmp_path / "log").exists()


async def test_a_check_names_a_log_whose_identity_is_lost(tmp_path: Path) -> None:
    async with running_broker(tmp_path, partitions=4) as client:
        assert (await client.post("/v1/write/acme/d", json=[{"a": 1}])).status == 200
    (tmp_path / "log" / "log.json").unlink()
    (found,) = await problems_with(settings_of(tmp_path))
    assert "log.json is missing" in found
