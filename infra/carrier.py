"""The log that the settings name, opened, and how the agents read it."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from infra.lifecycle import Lifecycle
from infra.metrics import PrometheusMeter
from infra.parts import Part
from infra.settings import Settings
from streams.agents.worker import Source
from streams.embedded.log import EmbeddedLog, LogPlan
from streams.log import Log
from streams.positions import Hold, RunHold
from streams.topics import TOPICS

logger = logging.getLogger(__name__)

EMBEDDED: Final = "embedded://"


@dataclass(frozen=True, slots=True)
class Carrier:
    """A log, and by role where its topic is read and by what right its partitions are held.

    `hold(role, run)` takes the number of this run, which the database gave. `shared`: other processes
    may run on it too, and are told what happens here.
    """

    log: Log
    source: Callable[[str, str], Source]
    hold: Callable[[str, int], Hold]
    shared: bool = False


async def open_log(settings: Settings, lifecycle: Lifecycle, meter: PrometheusMeter, part: Part) -> Carrier:
    """Open the log; `part` says how it is from then on, and `lifecycle` closes it.

    Raises: LogError.
    """
    if settings.log != EMBEDDED:
        # aiokafka is not read where nothing needs it
        from infra.on_kafka import open_kafka

        return await open_kafka(settings, lifecycle, part)
    return await _embedded(settings, lifecycle, meter, part)


async def _embedded(settings: Settings, lifecycle: Lifecycle, meter: PrometheusMeter, part: Part) -> Carrier:
    plan = LogPlan(settings.data / "log", TOPICS, settings.partitions)
    log = await EmbeddedLog.open(plan, lambda: time.time_ns() // 1_000_000, meter=meter)
    for topic, cut in log.cut_bytes.items():
        if cut:
            logger.warning(
                "The log's topic %s ended in %d bytes that were never acknowledged; they are cut.",
                topic,
                cut,
                extra={"action": "log_cut"},
            )

    def failed(error: Exception) -> None:
        part.failing(str(error))
        lifecycle.fail(f"the log failed: {error}")

    log.on_failure(failed)
    lifecycle.on_stop("log", log.close)
    part.ok()
    return Carrier(
        log, lambda role, topic: Source(EMBEDDED, topic, f"sluice-{role}"), lambda _, run: RunHold(run)
    )
