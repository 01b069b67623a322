"""The feed under two commits in the wrong order: what is told first waits for what came before it."""

import threading

from sqlalchemy import Connection

from storage import alerts
from storage.alerts import FEED_START
from storage.postgres.engine import PostgresStore
from tests.conformance.store_feed import notification

DEADLINE = 60.0


def test_of_two_commits_the_slower_one_is_not_missed(store: PostgresStore) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def slow(c: Connection) -> None:
        alerts.keep(c, [], [notification("slow")])
        begun.set()
        assert go_on.wait(DEADLINE)

    def read() -> tuple[list[str], bool]:
        told, held = store.read(lambda c: alerts.feed(c, "w", FEED_START, 10, 10**6)).result(DEADLINE)
        return [one.id for one in told], held

    slower = store.write(slow)
    assert begun.wait(DEADLINE)
    store.write(lambda c: alerts.keep(c, [], [notification("quick")])).result(DEADLINE)
    assert read() == ([], True)
    assert store.read(lambda c: alerts.feed_end(c, "w")).result(DEADLINE) == FEED_START
    go_on.set()
    slower.result(DEADLINE)
    assert read() == (["slow", "quick"], False)
