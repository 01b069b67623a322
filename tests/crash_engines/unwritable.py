"""A database that takes no writes: made read-only by whoever runs it, or on a disk that is full."""

import errno
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import psycopg
import pytest

from tests.crash_engines.field import Engines, Field
from tests.stage.postgres import named, run

SPACE: Final = "small"
DISK_MB: Final = 64
BLOCK: Final = 64 * 1024


@contextmanager
def read_only(field: Field) -> Iterator[None]:
    """Have every transaction of the field's database begin read-only, as its operator would."""
    server, name = _server(field), field.env["SLUICE_KAFKA_PREFIX"]
    run(server, f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    _end_sessions(server, name)
    try:
        yield
    finally:
        run(server, f"ALTER DATABASE {name} RESET default_transaction_read_only")
        _end_sessions(server, name)


@contextmanager
def small_disk(engines: Engines) -> Iterator[Path]:
    """Mount a small disk that PostgreSQL knows as a tablespace `SPACE`, and give its directory.

    Whatever is on it at the end is dropped.
    """
    if os.geteuid() != 0:
        pytest.skip("A small disk for PostgreSQL is mounted only by root.")
    server = engines.up()["SLUICE_DATABASE"]
    disk = engines.data / SPACE
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m", "tmpfs", str(disk)], check=True)
    try:
        place = disk / "tables"
        place.mkdir()
        shutil.chown(place, engines.cluster.owner(), engines.cluster.group())
        run(server, f"CREATE TABLESPACE {SPACE} LOCATION '{place}'")
        try:
            yield disk
        finally:
            _drop(server)
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)
        disk.rmdir()


@contextmanager
def filled(disk: Path) -> Iterator[None]:
    """Fill a disk to its last block, and make room again."""
    ballast = disk / "ballast"
    try:
        fill(ballast)
        yield
    finally:
        ballast.unlink(missing_ok=True)


def fill(ballast: Path) -> None:
    """Write to a file until there is no room for another block of PostgreSQL's."""
    size = BLOCK
    with ballast.open("ab", buffering=0) as file:
        while size:
            try:
                file.write(bytes(size))
            except OSError as full:
                if full.errno != errno.ENOSPC:
                    raise
                size //= 2


def _drop(server: str) -> None:
    query = (
        "SELECT datname FROM pg_database d JOIN pg_tablespace t ON t.oid = dattablespace WHERE spcname = %s"
    )
    with psycopg.connect(server) as connection:
        names = [name for (name,) in connection.execute(query, [SPACE])]
    run(server, *(f"DROP DATABASE {name} WITH (FORCE)" for name in names), f"DROP TABLESPACE {SPACE}")


def _server(field: Field) -> str:
    return named(field.env["SLUICE_DATABASE"], "postgres")


def _end_sessions(server: str, name: str) -> None:
    with psycopg.connect(server) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name]
        )
