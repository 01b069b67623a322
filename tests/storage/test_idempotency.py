"""Claims: the first one stands for 24 hours, whoever comes after is given it."""

from dataclasses import dataclass

import pytest

from api.lane.once import KEPT
from storage.idempotency import Claim, claim, find, prune
from storage.store import Store
from tests.stage.clock import Clock

HOURS_24 = 24 * 3600


def made(write_id: str, at: int, key: str = "k", scope: str = "acme POST /v1/write/acme/d") -> Claim:
    refusals: dict[str, object] = {"rejected": 1, "errors": [{"index": 0, "code": "é"}], "refused": [[0]]}
    return Claim(scope, key, write_id, b"\x00\xff" * 16, refusals, at)


@dataclass
class Claims:
    """Claims at the time of a clock."""

    store: Store
    clock: Clock

    def claim(self, write_id: str, **of: str) -> Claim:
        now = self.clock()
        mine = made(write_id, now, **of)
        return self.store.write(lambda c: claim(c, mine, now - KEPT)).result(5)

    def find(self, key: str = "k") -> Claim | None:
        now = self.clock()
        scope = made("x", 0).scope
        return self.store.read(lambda c: find(c, scope, key, now - KEPT)).result(5)


@pytest.fixture
def claims(store: Store) -> Claims:
    return Claims(store, Clock())


def test_the_first_claim_stands_with_all_it_holds(claims: Claims) -> None:
    assert claims.find() is None
    first = claims.claim("one")
    assert first == made("one", claims.clock())
    assert claims.claim("two") == first
    assert claims.find() == first


def test_other_keys_and_scopes_are_other_claims(claims: Claims) -> None:
    claims.claim("one")
    assert claims.claim("two", key="K").write_id == "two"
    assert claims.claim("three", scope="acme POST /v1/record/acme/d").write_id == "three"


def test_a_claim_is_kept_24_hours_and_no_longer(claims: Claims) -> None:
    assert KEPT == HOURS_24 * 10**9
    first = claims.claim("one")
    claims.clock.advance(HOURS_24 - 1)
    assert claims.find() == first
    assert claims.claim("two") == first
    claims.clock.advance(2)
    assert claims.find() is None
    assert claims.claim("three").write_id == "three"
    claims.clock.advance(HOURS_24 - 1)
    assert claims.claim("four").write_id == "three"


def test_a_repeat_does_not_make_a_claim_younger(claims: Claims) -> None:
    claims.claim("one")
    for _ in range(3):
        claims.clock.advance(HOURS_24 / 4)
        assert claims.claim("again").write_id == "one"
    claims.clock.advance(HOURS_24 / 4 + 1)
    assert claims.find() is None


def test_pruning_forgets_what_is_older_and_nothing_else(claims: Claims) -> None:
    claims.claim("old", key="old")
    young = claims.clock.advance(60)
    claims.claim("young", key="young")
    assert claims.store.write(lambda c: prune(c, young)).result(5) == 1
    assert claims.find("old") is None
    assert claims.find("young") is not None


@pytest.mark.parametrize("key", ["'; drop table claim; --", "é\u2028", " ", "%", "x" * 255])
def test_any_text_is_a_key(claims: Claims, key: str) -> None:
    assert claims.claim("one", key=key).key == key
    assert claims.claim("two", key=key).write_id == "one"
