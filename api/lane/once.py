"""Idempotency-Key: the same key is the same write, from any process, for 24 hours."""

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Final

from msgspec import structs

from api.lane.admitted import Admitted
from api.lane.door import Draft, Reading, Request, Written
from api.lane.outcome import counts
from rules.errors import BAD_PARAMETER, IDEMPOTENCY_CONFLICT, STORE_UNAVAILABLE, Later, Problem
from rules.limits import Limits
from rules.names import fold
from storage import idempotency
from storage.idempotency import Claim
from storage.store import Store
from storage.writes import Outcome
from streams.awaiting import on_loop

KEPT: Final = 24 * 3600 * 1_000_000_000


@dataclass(frozen=True, slots=True)
class Keyed:
    """A request's key: its scope (workspace and path), and the hash of all that must be the same."""

    scope: str
    key: str
    hash: bytes


def keyed(request: Request, workspace: str, body: bytes, limits: Limits) -> Keyed | None:
    """Return the request's Idempotency-Key, None where it has none.

    Raises: Problem(bad_parameter).
    """
    given = request.headers.get(b"idempotency-key")
    if given is None:
        return None
    key = given.decode("latin-1").strip()
    if not 1 <= len(key) <= limits.idempotency_chars:
        raise Problem(BAD_PARAMETER, f"Idempotency-Key must have 1 to {limits.idempotency_chars} characters.")
    digest = blake2b(body, digest_size=32)
    digest.update(repr(request.params.everything_but("wait", "timeout")).encode())
    digest.update(request.headers.get(b"content-type", b"").lower())
    return Keyed(f"{fold(workspace)} {request.method} {fold(request.path)}", key, digest.digest())


class Once:
    """Finds and makes claims."""

    def __init__(self, store: Store, clock: Callable[[], int]) -> None:
        self._store = store
        self._clock = clock

    async def find(self, mine: Keyed) -> Claim | None:
        """Return the claim on this key.

        Raises: Problem(idempotency_conflict) where it stands for another request, store_unavailable.
        """
        since = self._clock() - KEPT
        found = await self._ask(lambda c: idempotency.find(c, mine.scope, mine.key, since))
        return None if found is None else _same(found, mine)

    async def claim(self, mine: Keyed, write_id: str, refusals: dict[str, object]) -> Claim:
        """Insert a claim, or return the winner's. `refusals` is what `refused` returns.

        Raises: Problem(idempotency_conflict, store_unavailable).
        """
        now = self._clock()
        claim = Claim(mine.scope, mine.key, write_id, mine.hash, refusals, now)
        try:
            future = self._store.write(lambda c: idempotency.claim(c, claim, now - KEPT))
            return _same(await on_loop(future), mine)
        except Later as error:
            raise _down(error) from error

    async def _ask(self, body: Callable[[Any], Claim | None]) -> Claim | None:
        try:
            return await on_loop(self._store.read(body))
        except Later as error:
            raise _down(error) from error


def without_refused(drafts: list[Draft], claim: Claim) -> list[Draft]:
    """Return the drafts less what was refused the first time, so that a repeat writes the same records."""
    kept = []
    for draft, left_out in zip(drafts, claim.refusals["refused"], strict=True):  # type: ignore[call-overload]
        out = set(left_out)
        if draft.points is not None:
            kept.append(structs.replace(draft, points=draft.points.without(out)))
            continue
        pairs = [(i, r) for i, r in zip(draft.places, draft.records, strict=True) if i not in out]
        records, indexes = [r for _, r in pairs], [i for i, _ in pairs]
        kept.append(Draft(draft.dataset, records, draft.plain, indexes, draft.size))
    return kept


def refused(
    drafts: list[Draft], admitted: list[Admitted], rejected: int, errors: list[dict[str, Any]]
) -> dict[str, object]:
    """Return what a claim keeps of the refusals: for each draft the indexes refused, and what was said."""
    out = []
    for draft, one in zip(drafts, admitted, strict=True):
        taken = set(one.places)
        out.append([place for place in draft.places if place not in taken])
    return {"refused": out, "rejected": rejected, "errors": errors}


def _same(found: Claim, mine: Keyed) -> Claim:
    if found.hash != mine.hash:
        raise Problem(
            IDEMPOTENCY_CONFLICT,
            f"The Idempotency-Key {mine.key[:60]!r} was used for another body or other parameters.",
        )
    return found


def _down(error: Later) -> Problem:
    return Problem(STORE_UNAVAILABLE, f"Writes with an Idempotency-Key need the database: {error.shown}.")


def stored_before(claim: Claim, found: list[Outcome], reading: Reading) -> Written:
    """Return the answer to a repeat of a write that is stored: the first one's, with the state as it is."""
    kept: dict[str, Any] = claim.refusals
    ack = "stored" if reading.options.persist else "published"
    accepted = sum(outcome.accepted for outcome in found)
    return Written(claim.write_id, ack, accepted, kept["rejected"], kept["errors"], counts(found))
