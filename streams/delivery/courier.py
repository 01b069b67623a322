"""The loop that carries deliveries: what is due, sent, its outcome kept, and its next time found.

At least once: an outcome is kept after the attempt, so what a crash or a stop cuts off is attempted again,
with the same `webhook-id`.
"""

import logging
from asyncio import Event, Lock, Task, TaskGroup, create_task, current_task, gather, timeout, wait
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from math import ceil
from random import random
from time import time_ns
from typing import Final, TypeVar

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, wait_exponential_jitter

from rules.alerting.delivery import SECOND
from rules.errors import Later
from rules.signals import Action, Meter
from streams.delivery.book import DeliveryBook, Due, Outcome, Settled, settled
from streams.delivery.webhook import Attempt, Webhooks

logger = logging.getLogger(__name__)

T = TypeVar("T")

RETRY_FIRST: Final = 0.05
RETRY_MOST: Final = 5.0
LAST_WORD: Final = 2.0
"""Seconds that keeping the last outcomes may take once the attempts have ended."""


class Courier:
    """Attempts what is due: `most` attempts under way at once, `each` of them for one subscription.

    The fewer places are free, the fewer a subscription may have, one at the least: as in a switch whose
    ports share a buffer (Choudhury and Hahne, "Dynamic Queue Length Thresholds", 1998). So many receivers
    that hang do not fill all places together, and one that is well finds some free.

    One courier works on a book (`SharedBook`: one of several): what is under way is known to it alone.
    `idle` (seconds) is the longest it rests without looking into the book, for what came due without a
    `wake`.
    """

    def __init__(
        self,
        book: DeliveryBook,
        webhooks: Webhooks,
        meter: Meter,
        *,
        most: int = 64,
        each: int = 4,
        idle: float = 1.0,
        clock: Callable[[], int] = time_ns,
        chance: Callable[[], float] = random,
    ) -> None:
        """`clock` gives ns since 1970, `chance` a number in [0, 1)."""
        self._book = book
        self._webhooks = webhooks
        self._meter = meter
        self._most = most
        self._each = each
        self._idle = idle
        self._clock = clock
        self._chance = chance
        self._under_way: dict[tuple[str, str], Task[None]] = {}
        self._places: Counter[str] = Counter()
        self._done: list[Settled] = []
        self._patience = 0.0
        self._latest: int | None = None
        self._running: Task[None] | None = None
        self._claiming = Lock()
        self._stir = Event()
        self._ended = Event()
        self._leaving = Event()

    def wake(self) -> None:
        """Look into the book now: deliveries were added."""
        self._stir.set()

    async def run(self) -> None:
        """Carry until `stop` is called or the task is cancelled."""
        self._running = current_task()
        try:
            async with TaskGroup() as group:
                group.create_task(self._look(), name="courier-look")
                group.create_task(self._keep(), name="courier-keep")
            await self._finish()
        except ExceptionGroup as failed:
            raise failed.exceptions[0] from failed
        finally:
            await self._drop()

    async def stop(self, deadline: float = 5.0) -> None:
        """Begin nothing more, give attempts under way `deadline` seconds, and return once `run` has ended.

        What is cut off stays due.
        """
        self._patience = deadline
        self._leaving.set()
        self._stir.set()
        self._ended.set()
        running = self._running
        if running is None:
            return
        _, late = await wait([running], timeout=deadline + 2 * LAST_WORD)
        if late:
            running.cancel()
            await wait(late)

    async def _look(self) -> None:
        with suppress(Later):
            while not self._leaving.is_set():
                await self._turn()

    async def _keep(self) -> None:
        """Keep outcomes beside the looking: a new delivery need not wait until the last ones' are kept."""
        with suppress(Later):
            while not self._leaving.is_set():
                await self._ended.wait()
                self._ended.clear()
                await self._patiently(self._settle)

    async def _turn(self) -> None:
        self._stir.clear()
        now = self._clock()
        await self._mind(now)
        async with self._claiming:
            await self._patiently(partial(self._claim, now))
        if self._stir.is_set():
            return
        upcoming = await self._patiently(partial(self._book.next_due, now))
        rest = self._idle
        if upcoming is not None:
            rest = min(rest, max((upcoming - self._clock()) / SECOND, 0.001))
        with suppress(TimeoutError):
            async with timeout(rest):
                await self._stir.wait()

    async def _mind(self, now: int) -> None:
        """Look for deliveries put off by a clock that went back: at the start, and when it did."""
        if self._latest is None or now < self._latest:
            recalled = await self._patiently(partial(self._book.recall, now))
            if recalled:
                logger.warning(
                    "The clock went back; %d deliveries that it had put off are due now.",
                    recalled,
                    extra={"action": "delivery_failed"},
                )
        self._latest = now

    async def _claim(self, now: int) -> None:
        page = self._each
        while (free := self._most - len(self._under_way)) > 0:
            share = self._share()
            busy = frozenset(name for name, taken in self._places.items() if taken >= share)
            # The book returns what is under way again; asking for as many more makes sure of something new.
            known = sum(taken for name, taken in self._places.items() if name not in busy)
            limit = known + min(page, free)
            found = await self._book.due(now, limit, busy)
            begun = [self._begin(due) for due in found]
            if len(found) < limit or not any(begun):
                return
            page *= 2

    def _share(self) -> int:
        """Return how many places one subscription may have now."""
        free = self._most - len(self._under_way)
        return max(1, ceil(self._each * free / self._most))

    def _begin(self, due: Due) -> bool:
        key = (due.notification_id, due.subscription_id)
        if (
            key in self._under_way
            or len(self._under_way) >= self._most
            or self._places[due.subscription_id] >= self._share()
        ):
            return False
        self._places[due.subscription_id] += 1
        self._under_way[key] = create_task(self._carry(due), name=f"delivery-{due.notification_id}")
        return True

    async def _carry(self, due: Due) -> None:
        at = self._clock()
        try:
            attempt = await self._webhooks.attempt(
                due.url, due.secret, due.notification_id, due.body, at / SECOND
            )
        except Exception as error:
            logger.exception("An attempt failed in the broker.", extra={"action": "delivery_failed"})
            attempt = Attempt(None, f"The attempt failed in the broker ({type(error).__name__}).", None, 0.0)
        done = settled(due, attempt, at, self._clock(), 2 * self._chance() - 1)
        self._report(due, attempt, done)
        self._done.append(done)
        self._ended.set()

    async def _settle(self) -> None:
        if not self._done:
            return
        kept = list(self._done)
        await self._book.settle(kept)
        # Only now, and not while a claim is read: what the book showed as due would be carried twice.
        async with self._claiming:
            del self._done[: len(kept)]
            for done in kept:
                del self._under_way[done.notification_id, done.subscription_id]
                self._places[done.subscription_id] -= 1
                if not self._places[done.subscription_id]:
                    del self._places[done.subscription_id]
        self._stir.set()

    async def _finish(self) -> None:
        under_way = [task for task in self._under_way.values() if not task.done()]
        if under_way:
            await wait(under_way, timeout=self._patience)
        await self._drop()
        with suppress(TimeoutError, Later):
            async with timeout(LAST_WORD):
                await self._patiently(self._settle)

    async def _drop(self) -> None:
        tasks = list(self._under_way.values())
        for task in tasks:
            task.cancel()
        await gather(*tasks, return_exceptions=True)

    async def _patiently(self, ask: Callable[[], Awaitable[T]]) -> T:
        """Ask the book until it does not answer Later; while stopping, once."""
        retrying = AsyncRetrying(
            retry=retry_if_exception_type(Later),
            wait=wait_exponential_jitter(initial=RETRY_FIRST, max=RETRY_MOST, jitter=RETRY_FIRST),
            stop=lambda _: self._leaving.is_set(),
            sleep=self._pause,
            before_sleep=self._say_retry,
            reraise=True,
        )
        return await retrying(ask)

    async def _pause(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with timeout(seconds):
                await self._leaving.wait()

    def _say_retry(self, state: RetryCallState) -> None:
        self._meter.count("retries_total", role="courier")
        seldom = state.attempt_number in (1, 5) or not state.attempt_number % 20
        logger.log(
            logging.WARNING if seldom else logging.DEBUG,
            "The deliveries can't be read or kept now (%s); it is tried again.",
            state.outcome.exception() if state.outcome else None,
            extra={"action": "batch_retried"},
        )

    def _report(self, due: Due, attempt: Attempt, done: Settled) -> None:
        self._meter.time("delivery_seconds", attempt.seconds)
        counted = "failed" if done.outcome in ("retry", "disabled") else done.outcome
        self._meter.count("deliveries_total", outcome="refused" if attempt.refused else counted)
        if done.outcome == "delivered":
            return
        action, level = _SAID[done.outcome]
        logger.log(
            level,
            "Delivery of %s to subscription %s of %s, attempt %d: %s %s",
            due.notification_id,
            due.subscription_id,
            due.workspace,
            done.attempt,
            done.error,
            _WHAT_NEXT[done.outcome],
            extra={"action": action},
        )


_SAID: Final[dict[Outcome, tuple[Action, int]]] = {
    "retry": ("delivery_failed", logging.INFO),
    "given_up": ("delivery_given_up", logging.WARNING),
    "disabled": ("subscription_disabled", logging.WARNING),
}
_WHAT_NEXT: Final[dict[Outcome, str]] = {
    "retry": "It will be tried again.",
    "given_up": "It is given up; redeliver it once the receiver works.",
    "disabled": "The subscription is disabled; enable it once the receiver wants deliveries again.",
}
