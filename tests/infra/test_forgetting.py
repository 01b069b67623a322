"""What the broker forgets in time, round by round."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.forgetting import CLAIMS_KEPT, OUTCOMES_KEPT, Forgetting
from storage import idempotency, writes
from storage.idempotency import Claim
from storage.sqlite.engine import SqliteStore
from storage.writes import Outcome, Standing
from tests.stage.clock import Clock
from tests.storage.database import opened
from tests.storage.test_prune import DAY, NOW, fired, kept, left, raised, rule


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    with opened(tmp_path / "test.db") as store:
        yield store


async def test_a_round_forgets_all_that_is_old_however_many_steps_it_takes(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    for where in ("storage.prune.STEP", "storage.writes.STEP", "storage.idempotency.STEP"):
        monkeypatch.setattr(where, 2)
    for number in range(5):
        raised(store, NOW - 90 * DAY - 5 + number)
        old = Outcome(f"w{number}", 0, 1, "w", "d", 5, 3, 0, 2, 1)
        at = NOW - OUTCOMES_KEPT - 1
        store.write(lambda c, old=old, at=at: writes.keep_own(c, old, Standing(0, 1, 1), at)).result(5)  # type: ignore[misc]
        mine = Claim("s", str(number), "w", b"", {}, NOW - CLAIMS_KEPT - 1)
        store.write(lambda c, mine=mine: idempotency.claim(c, mine, 0)).result(5)  # type: ignore[misc]
    young = raised(store, NOW)
    await Forgetting(store, Clock(NOW), 90 * DAY).feeds()
    assert left(store) == ([young], [young], 1)
    assert store.read(lambda c: writes.among(c, [f"w{n}" for n in range(5)])).result(5) == []
    claims = [store.read(lambda c, n=n: idempotency.find(c, "s", str(n), 0)).result(5) for n in range(5)]  # type: ignore[misc]
    assert claims == [None] * 5


async def test_a_round_forgets_what_rules_remember_of_values_not_seen_for_long(store: SqliteStore) -> None:
    for name in ("a", "b"):
        rule(store, name)
        fired(store, name, NOW - DAY, NOW - 91 * DAY)
    await Forgetting(store, Clock(NOW), 90 * DAY).instances()
    assert kept(store, "a") == kept(store, "b") == [NOW - DAY]
