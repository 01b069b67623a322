import os
import subprocess
import sys
from pathlib import Path

import pytest

from streams.embedded.disk import SystemDisk
from streams.embedded.identity import DirectoryLock, identify
from streams.log import LogDamaged, LogLocked, LogRefused
from tests.streams.embedded.stage import opened

ROOT = Path(__file__).parents[3]
TRY_TO_OPEN = """
import sys
from pathlib import Path
from streams.embedded.identity import DirectoryLock
from streams.log import LogLocked
try:
    DirectoryLock(Path(sys.argv[1]))
except LogLocked as error:
    print(error)
"""


def test_an_identity_is_given_once_and_every_log_has_its_own(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    first = identify(tmp_path / "a", 4, SystemDisk())
    assert identify(tmp_path / "a", 4, SystemDisk()) == first
    assert identify(tmp_path / "b", 4, SystemDisk()) != first


def test_another_number_of_partitions_is_refused_and_told_which_is_right(tmp_path: Path) -> None:
    identify(tmp_path, 4, SystemDisk())
    with pytest.raises(LogRefused, match="SLUICE_PARTITIONS to 4"):
        identify(tmp_path, 8, SystemDisk())


@pytest.mark.parametrize("partitions", [0, -1, 1025])
def test_a_number_of_partitions_that_no_log_has_is_refused(tmp_path: Path, partitions: int) -> None:
    with pytest.raises(LogRefused, match="1 to 1024"):
        identify(tmp_path, partitions, SystemDisk())


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"identity": "x", "format": "y", "partitions": 1}'])
def test_an_identity_that_cannot_be_read_is_damage(tmp_path: Path, text: str) -> None:
    (tmp_path / "log.json").write_text(text)
    with pytest.raises(LogDamaged, match=r"log\.json"):
        identify(tmp_path, 1, SystemDisk())


def test_a_format_of_another_version_is_refused(tmp_path: Path) -> None:
    (tmp_path / "log.json").write_text('{"identity": "x", "format": 2, "partitions": 1}')
    with pytest.raises(LogRefused, match="format 2"):
        identify(tmp_path, 1, SystemDisk())


async def test_segments_without_an_identity_do_not_get_a_new_one(tmp_path: Path) -> None:
    async with opened(tmp_path):
        pass
    (tmp_path / "log.json").unlink()
    with pytest.raises(LogDamaged, match="missing"):
        async with opened(tmp_path):
            pass


async def test_a_second_open_in_the_same_process_is_refused_until_the_first_is_closed(tmp_path: Path) -> None:
    async with opened(tmp_path):
        with pytest.raises(LogLocked, match=f"process {os.getpid()}"):
            async with opened(tmp_path):
                pass
    async with opened(tmp_path):
        pass


def test_a_second_process_is_refused_and_told_which_one_has_it(tmp_path: Path) -> None:
    lock = DirectoryLock(tmp_path)
    command = [sys.executable, "-c", TRY_TO_OPEN, str(tmp_path)]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=30)
    assert f"is open in process {os.getpid()}" in told.stdout
    lock.release()
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=30)
    assert told.stdout == ""
