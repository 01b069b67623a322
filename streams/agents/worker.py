"""A Faust app a role: it consumes and assigns partitions; the tasks do the work."""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import faust
from faust.contrib.asgi import faust_app_running

from rules.signals import Meter
from streams.agents.partition import PartitionTask, Step
from streams.log import Log

logger = logging.getLogger(__name__)

STOP_SECONDS: Final = 5.0
COMMIT_SECONDS: Final = 5.0
"""Between commits of Faust's, which only lag monitors read."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where Faust reads: a transport's address, what the topic and the group are called there.

    `session` is the seconds of silence after which a worker is taken for dead, where workers share.
    """

    url: str
    topic: str
    group: str
    session: float = 6.0


class Worker:
    """Runs one role over all partitions of one topic.

    `topic` is read from `source`. Faust keeps its files in `directory`. `hurry` tells whether somebody
    waits for what the role does. One app (and so one consumer) a role: with one app for both, a full queue
    of one topic starves the other.
    """

    def __init__(
        self,
        step: Step,
        topic: str,
        log: Log,
        source: Source,
        hurry: Callable[[], bool],
        meter: Meter,
        directory: Path,
    ) -> None:
        self.log = log
        self.topic = topic
        self.source = source
        self.room = asyncio.Event()
        self._step = step
        self._hurry = hurry
        self._meter = meter
        self._tasks: dict[int, PartitionTask] = {}
        self._running = asyncio.Event()
        self._app = _app(self, source, directory)
        self._context = faust_app_running(self._app, stop_timeout=STOP_SECONDS)
        self._on_stopped: Callable[[str], None] = logger.debug
        self._on_alive: Callable[[], object] = self._running.is_set
        self._on_claimed: Callable[[], object] = self._running.is_set
        self._claiming: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start the app; partitions come by and by (`claimed`)."""
        await self._context.__aenter__()

    async def stop(self) -> None:
        """Leave the batches under way as a crash would, and stop the app."""
        if self._claiming is not None:
            self._claiming.cancel()
        await asyncio.gather(*(task.end() for task in self._tasks.values()))
        await self._context.__aexit__(None, None, None)

    async def ended(self) -> None:
        """Return only when the app has ended though nobody stopped it.

        Raises: RuntimeError where it crashed.
        """
        await self._app.wait_until_stopped()
        if self._app.crashed:
            raise RuntimeError(f"Faust crashed: {self._app.crash_reason!r}")

    def watched_by(
        self, stopped: Callable[[str], None], alive: Callable[[], None], claimed: Callable[[], None]
    ) -> None:
        """Have `stopped` told why a partition does not go on, `alive` called while it polls.

        `claimed` is called when it has made all partitions its own that were assigned to it.
        """
        self._on_stopped = stopped
        self._on_alive = alive
        self._on_claimed = claimed

    def alive(self) -> None:
        """The transport still polls."""
        self._on_alive()

    def broken(self, partition: int, why: str) -> None:
        """The log can't be read on; the partition stops."""
        self._tasks[partition].fail(why)

    def astray(self, partition: int, offset: int, why: str) -> None:
        """The log has nothing at this offset of the partition, which is claimed anew."""
        self._tasks[partition].astray(offset, why)

    async def claimed(self) -> None:
        """Wait until every partition is claimed (or has stopped, which `stopped` tells)."""
        while True:
            await self._running.wait()
            waiting = [task for task in self._tasks.values() if not task.claimed.is_set()]
            if not waiting:
                return
            # others may be assigned meanwhile
            await asyncio.gather(*(task.claimed.wait() for task in waiting))

    @property
    def stopped(self) -> Mapping[int, str]:
        """The partitions that do not go on, with the reason."""
        return {p: task.stopped for p, task in self._tasks.items() if task.stopped is not None}

    def wanted(self, partition: int) -> int | None:
        """The offset the partition's task wants next, or None while it has no room."""
        task = self._tasks.get(partition)
        return None if task is None else task.wanted

    def fetched(self, partition: int, next_offset: int) -> None:
        """Messages below `next_offset` are on their way."""
        self._tasks[partition].fetched(next_offset)

    def applied(self, partition: int) -> int | None:
        """The offset below which the partition is applied, None where it is not claimed."""
        task = self._tasks.get(partition)
        return None if task is None else task.applied

    async def assigned(self, partitions: Iterable[int]) -> None:
        """Begin with the partitions this worker did not have, let go of those it has no more.

        One that had stopped is begun anew: what stopped it may have gone with the worker that had it.
        """
        self._running.clear()
        wanted = set(partitions)
        gone = [p for p, task in self._tasks.items() if p not in wanted or task.stopped is not None]
        await asyncio.gather(*(self._tasks.pop(p).end() for p in gone))
        for task in self._tasks.values():
            task.refetch()
        for partition in sorted(wanted - self._tasks.keys()):
            task = PartitionTask(self._step, partition, self.room.set, self._hurry, self._meter)
            self._tasks[partition] = task
            task.start(self._on_stopped)
        self._running.set()
        if self._claiming is not None:
            self._claiming.cancel()
        self._claiming = asyncio.create_task(self._claim())

    async def _claim(self) -> None:
        await self.claimed()
        if not self.stopped:
            self._on_claimed()

    def take(self, chunk: object) -> None:
        """Hand a chunk to its partition's task, at once."""
        partition = getattr(chunk, "partition", None)
        task = self._tasks.get(partition) if isinstance(partition, int) else None
        if task is not None:
            task.give(chunk)  # type: ignore[arg-type]


def _app(worker: Worker, source: Source, directory: Path) -> faust.App:
    """Return the role's Faust app. Its settings answer traps that were each seen (design.md)."""
    app = faust.App(
        source.group,
        broker=source.url,
        broker_session_timeout=source.session,
        store="memory://",
        datadir=str(directory),
        web_enabled=False,
        topic_disable_leader=True,
        topic_allow_declare=False,
        worker_redirect_stdouts=False,
        stream_wait_empty=False,
        stream_buffer_maxsize=16,
        table_standby_replicas=0,
        broker_commit_interval=COMMIT_SECONDS,
    )
    app.intake = worker  # type: ignore[attr-defined]

    async def consume(stream: faust.StreamT[object]) -> None:
        async for chunk in stream:
            worker.take(chunk)

    # What `app.agent` does, less its mark for Faust's scanner of modules, whose making looks the path of
    # every imported module up: a third of a second of a start.
    chunks = app.topic(source.topic, value_type=None, value_serializer="raw", key_serializer="raw")
    make: Any = app.conf.Agent
    agent = make(
        consume, name=source.group, app=app, channel=chunks, concurrency=1, on_error=app._on_agent_error
    )
    app.agents[agent.name] = agent
    app.topics.beacon.add(agent)
    return app
