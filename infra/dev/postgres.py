"""PostgreSQL for development: the machine's own binaries over a data directory of its own.

It listens on a port of the loopback address only, asks for a password that is made with the data, and is
durable as in production: nothing but its size is tuned. PostgreSQL refuses to run as root, so root runs it
as `postgres` (or `nobody`).
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from functools import partial
from pathlib import Path
from secrets import token_urlsafe
from typing import Final

import psycopg

from infra.dev.processes import LOOK_EVERY, EngineError, Service, as_user, remembered_port, zombie

DATABASE: Final = "sluice"
USER: Final = "sluice"
START_SECONDS: Final = 60.0
INIT_SECONDS: Final = 120.0
CHILDREN_SECONDS: Final = 10.0

_PLACES: Final = (
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/opt/homebrew/opt/postgresql*/bin",
    "/usr/local/opt/postgresql*/bin",
)
_SETTINGS: Final = (
    "listen_addresses=127.0.0.1",
    "unix_socket_directories=",
    "password_encryption=scram-sha-256",
    "max_connections=100",
    "log_min_messages=warning",
)


class Postgres:
    """`infra.dev.engine.Engine` for PostgreSQL. `extra` are further server settings, `name=value`."""

    name = "postgres"

    def __init__(self, data: Path, extra: tuple[str, ...] = ()) -> None:
        self._data = data.absolute()
        self._cluster = self._data / "postgres"
        self._extra = extra
        mark = f"-D {self._cluster}"
        self._service = Service(self.name, self._data, mark, signal.SIGINT, _other_user())

    def missing(self) -> str | None:
        if _binaries() is None:
            return f"PostgreSQL is not installed; install it with: {_install()}"
        if os.geteuid() == 0 and _other_user() is None:
            return "PostgreSQL does not run as root; make a user for it with: useradd --system postgres"
        return None

    def up(self) -> str:
        lack = self.missing()
        if lack is not None:
            raise EngineError(lack)
        self._data.mkdir(parents=True, exist_ok=True)
        binaries = _binaries()
        assert binaries is not None
        if not (self._cluster / "PG_VERSION").exists():
            self._initialise(binaries)
        port = remembered_port(self._data / "postgres.port")
        serves = partial(_serves, self._url(port, "postgres"))
        if self._service.running() is not None:
            # one that was just killed may be seen for a moment yet: it is started again then
            with suppress(EngineError):
                self._service.until(serves, START_SECONDS)
        if self._service.running() is None:
            _forget_dead(self._cluster)
            arguments = [part for one in (*_SETTINGS, *self._extra, f"port={port}") for part in ("-c", one)]
            self._service.start([str(binaries / "postgres"), "-D", str(self._cluster), *arguments])
        self._service.until(serves, START_SECONDS)
        _ensure_database(self._url(port, "postgres"))
        return f"SLUICE_DATABASE={self._url(port, DATABASE)}"

    def down(self) -> None:
        self._service.stop()

    def _url(self, port: int, database: str) -> str:
        password = (self._data / "postgres.password").read_text().strip()
        return f"postgresql://{USER}:{password}@127.0.0.1:{port}/{database}"

    def _initialise(self, binaries: Path) -> None:
        """Make the cluster beside its final name, so that a half-made one is never taken for whole."""
        user = _other_user()
        secret = self._data / "postgres.password"
        if not secret.exists():
            secret.touch(0o600)
            secret.write_text(token_urlsafe(24) + "\n")
        fresh = self._cluster.with_suffix(".new")
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(mode=0o700)
        if user is not None:
            shutil.chown(fresh, user)
            self._reachable(user)
        # initdb opens the file as its own user, and takes a pipe of another's for none
        given = secret.with_suffix(".given")
        given.touch(0o600)
        try:
            given.write_text(secret.read_text())
            if user is not None:
                shutil.chown(given, user)
            self._run_initdb(binaries, fresh, given, user)
        finally:
            given.unlink()
        fresh.rename(self._cluster)

    def _run_initdb(self, binaries: Path, fresh: Path, password: Path, user: str | None) -> None:
        command = [str(binaries / "initdb"), "-D", str(fresh), "-U", USER, "--encoding=UTF8", "--locale=C"]
        made = subprocess.run(
            [*command, "--auth=scram-sha-256", f"--pwfile={password}"],
            cwd="/",
            capture_output=True,
            timeout=INIT_SECONDS,
            check=False,
            **as_user(user),
        )
        if made.returncode != 0:
            said = made.stderr.decode(errors="replace").strip()
            raise EngineError(f"PostgreSQL's data directory {fresh} could not be made: {said}")

    def _reachable(self, user: str) -> None:
        """Say so where the user that runs the server can't reach its directory.

        Raises: EngineError.
        """
        test = subprocess.run(["/usr/bin/test", "-x", str(self._data)], cwd="/", check=False, **as_user(user))
        if test.returncode != 0:
            raise EngineError(
                f"PostgreSQL runs as the user {user}, who may not enter {self._data}; choose another "
                f"directory with SLUICE_DATA, or let that user pass (chmod a+x) it and those above it."
            )


def _binaries() -> Path | None:
    """Return the directory of PostgreSQL's programs: the path's, else the newest of the usual places."""
    found = shutil.which("initdb")
    places = [Path(found).resolve().parent] if found else []
    for pattern in _PLACES:
        places += sorted(Path("/").glob(pattern[1:]), key=_version, reverse=True)
    whole = (place for place in places if (place / "initdb").exists() and (place / "postgres").exists())
    return next(whole, None)


def _version(place: Path) -> list[int]:
    return [int(number) for number in re.findall(r"[0-9]+", str(place))]


def _install() -> str:
    return "brew install postgresql" if sys.platform == "darwin" else "apt-get install postgresql"


def _other_user() -> str | None:
    """Return the user to run the server as where we are root; None where we may ourselves."""
    if os.geteuid() != 0:
        return None
    import pwd  # not there on every system, and needed only where we are root

    known = {entry.pw_name for entry in pwd.getpwall()}
    return next((name for name in ("postgres", "nobody") if name in known), None)


def _forget_dead(cluster: Path) -> None:
    """Wait for what a killed server left, and take away its lock where it would be taken for alive.

    Its children end a moment after it, and hold its memory until then. A server that nobody has asked for
    its exit status is a zombie, which PostgreSQL can't tell from one that runs.
    """
    deadline = time.monotonic() + CHILDREN_SECONDS
    while any(_works_in(process, cluster) for process in Path("/proc").glob("[0-9]*/cwd")):
        if time.monotonic() > deadline:
            return
        time.sleep(LOOK_EVERY)
    lock = cluster / "postmaster.pid"
    try:
        pid = int(lock.read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return
    if zombie(pid):
        lock.unlink(missing_ok=True)


def _works_in(process: Path, cluster: Path) -> bool:
    try:
        return process.readlink() == cluster
    except OSError:
        return False


def _serves(url: str) -> bool:
    try:
        psycopg.connect(url, connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True


def _ensure_database(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        there = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone()
        if there is None:
            connection.execute(f"CREATE DATABASE {DATABASE}")
