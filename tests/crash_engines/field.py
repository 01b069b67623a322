"""Kafka, PostgreSQL, and processes of both kinds on them, any of which may be killed and brought back."""

import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from signal import SIGCONT, SIGKILL, SIGSTOP
from typing import Final

from infra.dev.kafka import Kafka
from infra.dev.postgres import Postgres
from tests.crash.rig import SETTINGS
from tests.engines.quartet import TOKEN, process
from tests.stage.postgres import named, place, run
from tests.stage.process import Broker

WORKER, API, KAFKA, POSTGRES = "a worker", "an API process", "Kafka", "PostgreSQL"
QUICK: Final = {"SLUICE_SESSION": "3s", "SLUICE_HEARTBEAT": "500ms"}


class Engines:
    """Both servers over one directory; every life of theirs is at the same address."""

    def __init__(self) -> None:
        self.data = Path(tempfile.mkdtemp(prefix="sluice-crash-engines-"))
        self.data.chmod(0o755)  # PostgreSQL's user must be able to pass
        self.kafka = Kafka(self.data)
        self.postgres = Postgres(self.data)
        self.cluster = self.data / "postgres"

    def up(self) -> dict[str, str]:
        """Start what does not run, and return the settings that name both."""
        return dict(line.split("=", 1) for line in (self.kafka.up(), self.postgres.up()))

    def send(self, what: str, number: int) -> None:
        """Send a signal to one of them."""
        name = "kafka" if what == KAFKA else "postgres"
        os.kill(int((self.data / f"{name}.pid").read_text()), number)

    def close(self) -> None:
        """Stop both and remove their data."""
        self.kafka.down()
        self.postgres.down()
        shutil.rmtree(self.data, ignore_errors=True)


class Door:
    """The API processes as their callers see them: each time another one, as behind a balancer.

    What a test looks into as a broker's data is their database.
    """

    token = TOKEN

    def __init__(self, apis: list[Broker], data: Path) -> None:
        self.apis = apis
        self.data = self.root = data
        self._turn = count()

    @property
    def url(self) -> str:
        """The address of the next one."""
        return self.apis[next(self._turn) % len(self.apis)].url


class Field:
    """Processes on a database and a log of their own. `victims` are processes that were killed last."""

    def __init__(self, engines: Engines, env: Mapping[str, str], apis: int, workers: int) -> None:
        self.engines = engines
        self.env = env
        self.apis = [process("api", env) for _ in range(apis)]
        self.workers = [process("work", env) for _ in range(workers)]
        self.door = Door(self.apis, self.apis[0].data)
        self.victim: Broker | None = None

    @property
    def everybody(self) -> list[Broker]:
        """All processes."""
        return [*self.apis, *self.workers]

    def another_worker(self) -> Broker:
        """Start one more worker."""
        worker = process("work", self.env)
        self.workers.append(worker)
        return worker.start()

    def kill(self, what: str, which: int) -> None:
        """Kill a server, or the process of this number of its kind."""
        if what in (KAFKA, POSTGRES):
            self.engines.send(what, SIGKILL)
            return
        kind = self.apis if what == API else self.workers
        self.victim = kind[which % len(kind)]
        self.victim.kill()

    def revive(self) -> None:
        """Bring back what was killed, and wait until all of it is ready."""
        self.engines.up()
        if self.victim is not None:
            self.victim.start(wait=False)
            self.victim = None
        for one in self.everybody:
            one.until_ready()

    def freeze(self, what: str) -> None:
        """Let a server stand still: what is sent to it is not answered."""
        self.engines.send(what, SIGSTOP)

    def thaw(self, what: str) -> None:
        """Let it go on."""
        self.engines.send(what, SIGCONT)

    def logs(self) -> str:
        """Return the end of what each process said."""
        return "\n".join(f"--- {one.root}\n{one.logs[-3_000:]}" for one in self.everybody)


@contextmanager
def field(engines: Engines, apis: int = 2, workers: int = 2, space: str = "pg_default") -> Iterator[Field]:
    """Run processes on a fresh database, in a tablespace, and a fresh log."""
    env = engines.up()
    name = f"crash_{secrets.token_hex(4)}"
    run(env["SLUICE_DATABASE"], f"CREATE DATABASE {name} TABLESPACE {space}")
    address = named(env["SLUICE_DATABASE"], name)
    own = {"SLUICE_DATABASE": address, "SLUICE_KAFKA_PREFIX": name}
    here = Field(engines, {**SETTINGS, **QUICK, **env, **own}, apis, workers)
    place(here.door.data, address)
    try:
        for one in here.everybody:
            one.start(wait=False)
        for one in here.everybody:
            one.until_ready()
        yield here
    except BaseException as error:
        error.add_note(here.logs())
        raise
    finally:
        for one in here.everybody:
            one.close()
