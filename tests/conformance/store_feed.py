"""What every store must do with the alerts it tells; part of `tests.conformance.store`."""

import threading
from collections.abc import Callable
from functools import partial

from rules.alerting.alert import Alert, Notification
from storage import alerts
from storage.alerts import FEED_START, FeedPlace
from storage.store import Store
from tests.conformance.store_records import (
    DEADLINE,
)


class FeedSuite:
    """Alerts: a feed in the order of commits."""

    def test_a_reader_of_the_feed_misses_nothing_that_is_told_at_once(
        self, opened: Callable[[], Store]
    ) -> None:
        stores = [opened(), opened()]
        each, writers = 40, 4

        def tell(writer: int) -> None:
            for n in range(each):
                told = [notification(f"{writer}.{n}.{part}") for part in range(2)]
                stores[writer % 2].write(lambda c, t=told: alerts.keep(c, [], t)).result(DEADLINE)

        threads = [threading.Thread(target=tell, args=(writer,)) for writer in range(writers)]
        for thread in threads:
            thread.start()
        seen: list[str] = []
        place: FeedPlace = FEED_START
        while True:
            going = any(thread.is_alive() for thread in threads)
            read = partial(alerts.feed, workspace="w", after=place, limit=50, size=10**6)
            told, held = stores[0].read(read).result(DEADLINE)
            seen += [one.id for one in told]
            place = told[-1].place if told else place
            if not told and not held and not going:
                break
        assert len(seen) == len(set(seen)) == writers * each * 2
        for writer in range(writers):
            mine = [one for one in seen if one.startswith(f"{writer}.")]
            assert mine == [f"{writer}.{n}.{part}" for n in range(each) for part in range(2)]

    def test_a_feed_goes_on_behind_anotification_and_ends_in_its_workspace(
        self, opened: Callable[[], Store]
    ) -> None:
        store = opened()
        for n in range(3):
            store.write(lambda c, n=n: alerts.keep(c, [], [notification(str(n))])).result(DEADLINE)
        behind = store.read(lambda c: alerts.feed_place(c, "W", "1")).result(DEADLINE)
        assert behind is not None
        told, _ = store.read(lambda c: alerts.feed(c, "w", behind, 10, 10**6)).result(DEADLINE)
        assert [one.id for one in told] == ["2"]
        assert store.read(lambda c: alerts.feed_end(c, "w")).result(DEADLINE) == told[0].place
        assert store.read(lambda c: alerts.feed_end(c, "other")).result(DEADLINE) == FEED_START
        assert store.read(lambda c: alerts.feed(c, "other", FEED_START, 9, 9)).result(DEADLINE)[0] == []
        assert store.read(lambda c: alerts.feed_place(c, "other", "1")).result(DEADLINE) is None


def notification(name: str) -> Notification:
    alert = Alert(name, "r", 1, "w", "d", {}, "firing", "warning", "é", 1, {"a": "x" * 200}, "0")
    return Notification(name, alert, "firing", 1)
