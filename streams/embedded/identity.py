"""What makes a directory one log: its identity, its number of partitions, and one process at a time."""

import fcntl
import json
import os
import secrets
from contextlib import suppress
from pathlib import Path
from typing import Final

from streams.embedded.disk import Disk, make_directory, place_file
from streams.log import LogDamaged, LogLocked, LogRefused

_FORMAT: Final = 1
_NAME: Final = "log.json"
_MAX_PARTITIONS: Final = 1024


class DirectoryLock:
    """The right to a log's directory, until it is released or the process ends."""

    def __init__(self, directory: Path) -> None:
        """Take it. Raises: LogLocked, OSError."""
        make_directory(directory)
        path = directory / "lock"
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.pread(self._fd, 20, 0).decode("ascii", "replace").strip() or "unknown"
            os.close(self._fd)
            raise LogLocked(
                f"The log in {directory} is open in process {holder}. Stop that process, or give this one "
                f"another data directory."
            ) from error
        # Only for the sentence above: a full disk must not keep anybody from starting.
        with suppress(OSError):
            os.ftruncate(self._fd, 0)
            os.pwrite(self._fd, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Give it back."""
        os.close(self._fd)


def has_log(directory: Path) -> bool:
    """Return whether there is a log in a directory, or what is left of one."""
    return (directory / _NAME).exists() or any(directory.glob("*/*.seg"))


def identify(directory: Path, partitions: int, disk: Disk) -> str:
    """Return the identity of the log in a directory, which is given one where it has none.

    Raises: LogRefused (another number of partitions, another format), LogDamaged, OSError.
    """
    if not 1 <= partitions <= _MAX_PARTITIONS:
        raise LogRefused(f"A log has 1 to {_MAX_PARTITIONS} partitions, not {partitions}.")
    path = directory / _NAME
    if not path.exists():
        return _give_identity(path, partitions, disk)
    try:
        kept = json.loads(path.read_bytes())
        identity, version, count = str(kept["identity"]), int(kept["format"]), int(kept["partitions"])
    except (ValueError, KeyError, TypeError) as error:
        raise LogDamaged(f"{path} can't be read: {error}. Bring the file back from a copy.") from error
    if version != _FORMAT:
        raise LogRefused(
            f"{path} says the log has format {version}; this version reads format {_FORMAT}. Use the version "
            f"that made it."
        )
    if count != partitions:
        raise LogRefused(
            f"The log in {directory} has {count} partitions, and {partitions} were asked for. The number is "
            f"fixed once made: set SLUICE_PARTITIONS to {count}, or use another data directory."
        )
    return identity


def _give_identity(path: Path, partitions: int, disk: Disk) -> str:
    if any(path.parent.glob("*/*.seg")):
        raise LogDamaged(f"{path} is missing beside the log's segments. Bring the file back from a copy.")
    identity = secrets.token_hex(16)
    text = json.dumps({"format": _FORMAT, "identity": identity, "partitions": partitions})
    place_file(disk, path, text.encode() + b"\n")
    return identity
