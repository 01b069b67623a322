"""Pages of alerts: bounded in bytes as well as in number, and none lost between two."""

import pytest

from storage import alerts
from storage.alerts import FEED_START, Wanted
from storage.store import Store
from tests.storage.test_prune import raised


def pages(store: Store, limit: int) -> list[list[int]]:
    """Return the times of the alerts, page by page."""
    found: list[list[int]] = []
    after = None
    while True:
        wanted = Wanted("w", after=after, limit=limit)
        page = store.read(lambda c, wanted=wanted: alerts.listing(c, wanted)).result(5)  # type: ignore[misc]
        found.append([alert.at for alert in page.alerts])
        after = page.next
        if after is None:
            return found


def test_a_page_ends_early_where_its_alerts_are_large_and_the_next_goes_on_there(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("storage.alerts.PAGE_BYTES", 10_000)
    for at in range(1, 8):
        raised(store, at, size=4_000)
    raised(store, 8, size=50_000)
    raised(store, 9, size=10)
    assert pages(store, 100) == [[9], [8], [7, 6], [5, 4], [3, 2], [1]]
    assert pages(store, 1) == [[9], [8], [7], [6], [5], [4], [3], [2], [1]]


def test_a_page_of_the_feed_is_bounded_too_but_never_empty_where_there_is_one(store: Store) -> None:
    for at in range(1, 6):
        raised(store, at, size=4_000)
    after, found = FEED_START, []
    while page := store.read(lambda c: alerts.feed(c, "w", after, 100, 9_000)).result(5)[0]:  # noqa: B023
        found.append([told.at for told in page])
        after = page[-1].place
    assert found == [[1, 2], [3, 4], [5]]
    assert len(store.read(lambda c: alerts.feed(c, "w", FEED_START, 100, 1)).result(5)[0]) == 1
