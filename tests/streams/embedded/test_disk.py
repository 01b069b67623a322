import os
from pathlib import Path

import pytest

from streams.embedded.disk import SystemDisk, make_directory, place_file
from streams.log import LogRefused
from tests.streams.embedded.stage import IO_ERROR, NO_SPACE, StagedDisk


def test_a_placed_file_is_synced_before_it_has_its_name(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    named_at_sync: list[bool] = []

    class Watching(SystemDisk):
        def sync(self, fd: int) -> None:
            named_at_sync.append(path.exists())
            super().sync(fd)

    place_file(Watching(), path, b"abc")
    assert named_at_sync == [False]
    assert path.read_bytes() == b"abc"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_for_which_there_is_no_room_leaves_nothing(tmp_path: Path) -> None:
    disk = StagedDisk()
    disk.fail_write = NO_SPACE
    with pytest.raises(LogRefused, match="no room"):
        place_file(disk, tmp_path / "a.json", b"abc")
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_could_not_be_synced_does_not_get_its_name(tmp_path: Path) -> None:
    disk = StagedDisk()
    disk.fail_sync = IO_ERROR
    with pytest.raises(OSError, match="Input/output"):
        place_file(disk, tmp_path / "a.json", b"abc")
    assert not (tmp_path / "a.json").exists()


def test_a_write_goes_to_its_position_whole(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"12345678")
    fd = os.open(path, os.O_RDWR)
    SystemDisk().write(fd, b"ab", 3)
    SystemDisk().sync(fd)
    os.close(fd)
    assert path.read_bytes() == b"123ab678"


def test_a_short_write_is_carried_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a"
    fd = os.open(path, os.O_RDWR | os.O_CREAT)
    whole = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda fd, data, at: whole(fd, bytes(data)[:3], at))
    SystemDisk().write(fd, b"abcdefgh", 1)
    os.close(fd)
    assert path.read_bytes() == b"\0abcdefgh"


def test_directories_are_made_with_those_above_them(tmp_path: Path) -> None:
    make_directory(tmp_path / "a" / "b" / "c")
    make_directory(tmp_path / "a" / "b" / "c")
    assert (tmp_path / "a" / "b" / "c").is_dir()
