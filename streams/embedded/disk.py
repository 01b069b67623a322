"""The two calls on which durability rests, as a seam, and files that appear whole or not at all."""

import errno
import fcntl
import os
import sys
from pathlib import Path
from typing import Final, Protocol

from streams.log import LogRefused

_NO_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE})


class Disk(Protocol):
    """Writing and making durable. Tests put a failing disk here."""

    def write(self, fd: int, data: bytes, position: int) -> None:
        """Write all of `data` at `position`. Raises: OSError; then part of it may be written."""

    def sync(self, fd: int) -> None:
        """Return once the file's data and size are on the disk.

        Raises: OSError, after which nobody knows what is there: a second call may return without having
        written anything, so it must not be tried again.
        """


class SystemDisk:
    """The operating system's disk."""

    def write(self, fd: int, data: bytes, position: int) -> None:
        """Write all of `data` at `position`."""
        written = os.pwrite(fd, data, position)
        rest = memoryview(data)
        while written < len(rest):
            rest = rest[written:]
            position += written
            written = os.pwrite(fd, rest, position)

    def sync(self, fd: int) -> None:
        """Return once the file's data and size are on the disk."""
        if sys.platform == "darwin":
            fcntl.fcntl(fd, fcntl.F_FULLFSYNC)
        else:
            os.fdatasync(fd)


def no_room(error: OSError) -> bool:
    """Return whether the system has no more space or handles now, and may have some later."""
    return error.errno in _NO_ROOM


def sync_directory(path: Path) -> None:
    """Make durable which files a directory has. Raises: OSError."""
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def make_directory(path: Path) -> None:
    """Make a directory, and those above it, so that a power loss does not unmake it. Raises: OSError."""
    if not path.is_dir():
        make_directory(path.parent)
        path.mkdir(exist_ok=True)
        sync_directory(path.parent)


def place_file(disk: Disk, path: Path, data: bytes) -> None:
    """Make a file that is there whole and durably, or not at all.

    Raises: LogRefused where there is no room for it, OSError where it failed otherwise.
    """
    draft = path.with_suffix(".tmp")
    try:
        fd = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            disk.write(fd, data, 0)
        except OSError:
            os.close(fd)
            draft.unlink(missing_ok=True)
            raise
    except OSError as error:
        if no_room(error):
            raise LogRefused(
                f"There is no room to make {path}: {error.strerror}. Free some space."
            ) from error
        raise
    try:
        disk.sync(fd)
    finally:
        os.close(fd)
    draft.rename(path)
    sync_directory(path.parent)
