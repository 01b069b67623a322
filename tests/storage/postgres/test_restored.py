"""A backup of one server brought to another, whose transactions have lower numbers."""

import pytest
from sqlalchemy import Connection, func, select

from storage import alerts, offsets
from storage.alerts import NOTIFICATION
from storage.migrate import migrate
from storage.offsets import Place, Token
from storage.postgres.engine import PostgresStore
from storage.restored import FEEDER
from tests.conformance.store_feed import notification
from tests.stage.postgres import run

DEADLINE = 60.0
FUTURE = 2**60


def restored(url: str, rows: dict[int, int], told: tuple[int, int]) -> None:
    """Leave what a backup brings: notifications (number to transaction), and a feeder's place."""
    for seq, xid in rows.items():
        run(
            url,
            "INSERT INTO notification (seq, xid, id, workspace, alert_id, change, at, body) "
            f"VALUES ({seq}, {xid}, 'n{seq}', 'w', 'a{seq}', 'firing', 1, '{{}}')",
        )
    run(
        url,
        f"SELECT setval('notification_seq_seq', {max(rows)})",
        "INSERT INTO offsets VALUES "
        f"('log', '{FEEDER}', 0, 3, 0, 1, 0, {told[0]}, {told[1]}, 0, 0, 0, 0), "
        "('log', 'judge', 0, 3, 0, 1, 1, 7, 8, 0, 0, 0, 0)",
    )


def untold(store: PostgresStore) -> list[str]:
    """Return what the feeder would tell next, all of it."""

    def body(c: Connection) -> list[str]:
        (place,) = [one for one in offsets.places(c, "log") if one.role == FEEDER]
        _, *at = place.last
        return [one.id for one in alerts.feed_of_all(c, (at[0], at[1]), 100, 10**6)[0]]

    return store.read(body).result(DEADLINE)


@pytest.mark.parametrize(
    ("told", "left"),
    [
        ((FUTURE + 3, 3), []),
        # of two transactions the one that began later had told first
        ((FUTURE + 1, 1), ["n2", "n3"]),
        ((FUTURE + 2, 3), ["n2", "n3"]),
        ((7, 1), ["n1", "n2", "n3"]),
        ((-1, -1), ["n1", "n2", "n3"]),
    ],
)
def test_the_feed_of_all_goes_on_where_it_was_and_tells_what_is_raised_then(
    url: str, store: PostgresStore, told: tuple[int, int], left: list[str]
) -> None:
    restored(url, {1: FUTURE + 1, 2: FUTURE + 3, 3: FUTURE + 2}, told)
    store.write(migrate).result(DEADLINE)
    assert untold(store) == left
    store.write(lambda c: alerts.keep(c, [], [notification("new")])).result(DEADLINE)
    assert untold(store) == [*left, "new"]


def test_a_feeder_whose_notifications_are_all_forgotten_is_no_longer_ahead(
    url: str, store: PostgresStore
) -> None:
    restored(url, {1: FUTURE}, (FUTURE, 1))
    run(url, "DELETE FROM notification")
    store.write(migrate).result(DEADLINE)
    store.write(lambda c: alerts.keep(c, [], [notification("new")])).result(DEADLINE)
    assert untold(store) == ["new"]


def test_a_backup_of_an_older_version_is_settled_at_its_first_start_too(
    url: str, store: PostgresStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    restored(url, {1: FUTURE}, (FUTURE, 1))
    monkeypatch.setattr("storage.migrate._version", lambda _: "an older one")
    store.write(migrate).result(DEADLINE)
    assert store.read(lambda c: c.execute(select(NOTIFICATION.c.xid)).scalar()).result(DEADLINE) == 0


def test_a_start_beside_other_processes_changes_nothing(url: str, store: PostgresStore) -> None:
    def kept(c: Connection) -> int:
        alerts.keep(c, [], [notification("own")])
        offsets.claim(c, "log", "judge", 0, Token(0, 1), 0)
        offsets.claim(c, "log", FEEDER, 0, Token(0, 1), 0)
        return int(c.execute(select(func.max(NOTIFICATION.c.xid))).scalar() or 0)

    xid = store.write(kept).result(DEADLINE)
    place = Place("log", FEEDER, 0, 1, Token(0, 1), (0, xid, 1))
    store.write(lambda c: offsets.advance(c, place)).result(DEADLINE)
    before = store.read(lambda c: offsets.places(c, "log")).result(DEADLINE)
    store.write(migrate).result(DEADLINE)
    assert store.read(lambda c: offsets.places(c, "log")).result(DEADLINE) == before
    assert store.read(lambda c: c.execute(select(NOTIFICATION.c.xid)).scalar()).result(DEADLINE) == xid
