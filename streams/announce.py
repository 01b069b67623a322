"""A rule change on its way into force: the row first, then a message on every partition of `events`."""

import asyncio
import logging
from typing import Final

from rules.alerting.rule import Rule
from rules.envelope import RuleChange
from rules.errors import Later
from storage import rules
from storage.store import Store
from streams.awaiting import on_loop
from streams.log import Log, LogError
from streams.topics import EVENTS
from streams.wire import encode, join

logger = logging.getLogger(__name__)

PENDING_AFTER: Final = 5_000_000_000


class Announcer:
    """Appends rule changes, and those that stayed pending."""

    def __init__(self, log: Log, store: Store) -> None:
        self._log = log
        self._store = store

    async def announce(self, rule: Rule) -> None:
        """Append a version's message to every partition; it is in force for what follows it there.

        Raises: LogError, Later; the version stays pending then, and `catch_up` completes it.
        """
        change = RuleChange(rule.workspace, rule.id, rule.version, rule.state, rule.to_json())
        message = join([encode(change)])
        await asyncio.gather(*(self._log.append(EVENTS, p, message) for p in range(self._log.partitions)))
        await on_loop(self._store.write(lambda c: rules.logged(c, rule)))

    async def catch_up(self, now: int) -> None:
        """Complete the changes that have been pending for `PENDING_AFTER`; `now` is in ns."""
        before = now - PENDING_AFTER
        try:
            for rule in await on_loop(self._store.read(lambda c: rules.pending(c, before, now))):
                logger.warning(
                    "Rule %s/%s version %d is not in force yet; completing it.",
                    rule.workspace,
                    rule.id,
                    rule.version,
                    extra={"action": "rule_pending"},
                )
                await self.announce(rule)
        except (LogError, Later) as error:
            logger.warning("Pending rules wait on: %s", error, extra={"action": "rule_pending"})
