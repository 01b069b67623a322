"""What the broker forgets in time: outcomes and claims, alerts and deliveries, instances of rules."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

from sqlalchemy import Connection

from storage import idempotency, prune, writes
from storage.store import Store
from streams.awaiting import on_loop

HOUR: Final = 3_600 * 1_000_000_000
OUTCOMES_KEPT: Final = 7 * 24 * HOUR
CLAIMS_KEPT: Final = 24 * HOUR
DELETED_KEPT: Final = 24 * HOUR
"""How long a deleted rule's instances are left, for a rule of its name that comes after it."""

PATIENCE: Final = 10.0
"""Seconds that one round may go on; the next takes what is left."""


@dataclass(frozen=True, slots=True)
class Forgetting:
    """Forgets in short transactions, one after the other, so that nobody waits long behind one.

    `alerts_kept` is in ns, as is what `clock` gives.
    """

    store: Store
    clock: Callable[[], int]
    alerts_kept: int

    async def feeds(self) -> None:
        """Forget old outcomes of writes, claims, alerts, notifications and deliveries. Raises: Later."""
        now = self.clock()
        end = time.monotonic() + PATIENCE
        for step, kept in (
            (writes.prune, OUTCOMES_KEPT),
            (idempotency.prune, CLAIMS_KEPT),
            (prune.notifications_before, self.alerts_kept),
            (prune.alerts_before, self.alerts_kept),
        ):
            await self._all(partial(_before, step, now - kept), end)

    async def instances(self) -> None:
        """Forget what rules remember of values of their key that were not seen for long. Raises: Later."""
        now = self.clock()
        end = time.monotonic() + PATIENCE
        kept = self.alerts_kept
        old = await on_loop(self.store.read(lambda c: prune.instances_old(c, now, kept, DELETED_KEPT)))
        for workspace, rule, until in old:
            await self._all(partial(_instances, workspace, rule, until), end)

    async def _all(self, step: Callable[[Connection], int], end: float) -> None:
        while await on_loop(self.store.write(step)) and time.monotonic() < end:
            pass


def _before(step: Callable[[Connection, int], int], before: int, connection: Connection) -> int:
    return step(connection, before)


def _instances(workspace: str, rule: str, until: int, connection: Connection) -> int:
    return prune.instances_until(connection, workspace, rule, until)
