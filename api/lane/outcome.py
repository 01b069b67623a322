"""Waiting until a write is stored, and what became of one."""

import asyncio
from collections.abc import Sequence
from typing import Any, Final

from api.lane.mint import Mint, minted_at
from rules.envelope import PERSIST, Origin
from rules.errors import OUTCOME_UNKNOWN, WRITE_NOT_FOUND, Later, Problem
from rules.ids import read_write_id, run_and_counter
from rules.schema.moments import format_moment
from rules.token import Scope, Token, may
from storage import alerts, datasets, quarantine, writes
from storage.store import Store
from storage.writes import Found, Outcome
from streams.awaiting import on_loop
from streams.receipts import Receipts

_SEEING: Final[frozenset[Scope]] = frozenset({"read", "write", "admin"})
KEPT: Final = 7 * 24 * 3600 * 1_000_000_000


class Outcomes:
    """Waits for receipts, which ask the store where they are late, and asks the store, which knows."""

    def __init__(self, receipts: Receipts, store: Store, mint: Mint) -> None:
        self._receipts = receipts
        self._store = store
        self._mint = mint

    def expect(self, write_id: str, parts: int) -> "asyncio.Future[list[Outcome]]":
        """Begin to listen for a write; call before it is appended."""
        return self._receipts.expect(write_id, parts)

    def forget(self, write_id: str) -> None:
        """Listen no more."""
        self._receipts.forget(write_id)

    async def wait(
        self, write_id: str, stored: "asyncio.Future[list[Outcome]]", seconds: float, keyed: bool
    ) -> list[Outcome] | None:
        """Return the outcomes of all parts, or None where they did not come in time.

        A keyed write may have been stored before anybody listened, so the store is asked at once.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        if keyed:
            found = await self.known(write_id)
            if found is not None:
                return found
        await asyncio.wait({stored}, timeout=max(0.0, deadline - loop.time()))
        return stored.result() if stored.done() else None

    async def known(self, write_id: str) -> list[Outcome] | None:
        """Return the outcomes of a write whose parts are all stored, else None."""
        minted = run_and_counter(write_id)
        try:
            found = await on_loop(self._store.read(lambda c: writes.outcomes(c, write_id, *minted)))
        except Later:
            return None
        whole = bool(found) and len(found) == found[0].outcome.parts
        return [one.outcome for one in found] if whole else None

    async def tell(self, write_id: str, now: int, token: Token) -> dict[str, Any]:
        """Return what `GET /v1/writes/{id}` answers to this token.

        A write of its workspace that it may not see, one that is not stored yet and one that never will be
        are told alike; an id that was not given in its workspace is not found, be it another's or nobody's.

        Raises: Problem(write_not_found).
        """
        minted = read_write_id(write_id)
        if minted is None or now - minted_at(minted[1]) > KEPT:
            raise _unknown(write_id)
        found = await on_loop(self._store.read(lambda c: writes.outcomes(c, write_id, *minted)))
        if not _may_see(token, found):
            found = []
        if not found and not await self._gave(write_id, token):
            raise _unknown(write_id)
        return await self._told(write_id, found, minted_at(minted[1]))

    async def _gave(self, write_id: str, token: Token) -> bool:
        if not token.scopes & _SEEING:
            return False
        if token.workspace is not None:
            return self._mint.gave(write_id, token.workspace)
        known = await on_loop(self._store.read(datasets.workspaces))
        return any(self._mint.gave(write_id, workspace) for workspace in known)

    async def _told(self, write_id: str, found: Sequence[Found], minted: int) -> dict[str, Any]:
        received = format_moment(found[0].outcome.at if found else minted)
        told: dict[str, Any] = {"writeId": write_id, "state": _state(found), "receivedAt": received}
        first = found[0].outcome if found else None
        told["workspace"] = first.workspace if first is not None else None
        names = sorted({one.outcome.dataset for one in found})
        told["dataset"] = names[0] if len(names) == 1 else None
        if len(names) > 1:  # points of several measurements
            told["datasets"] = names
        whole = _whole(found)  # sums of some parts would be taken for the write's
        told |= writes.totals(found if whole else [])
        told["rejected"] = sum(one.outcome.rejected for one in found) if whole else 0
        told["storedAt"] = format_moment(max(one.stored_at for one in found)) if _whole(found) else None
        aside = await on_loop(self._store.read(lambda c: quarantine.of_write(c, write_id))) if found else []
        told["quarantined"] = [{"index": q.position, "code": q.code, "message": q.message} for q in aside]
        told["alerts"] = await on_loop(self._store.read(lambda c: _alerts(c, found)))
        return told


def unlogged(write_id: str, failed: Sequence[Problem], parts: int) -> Problem:
    """Return why a write was not acknowledged: nothing of it is in the log, or nobody knows."""
    refused = [problem for problem in failed if problem.code is not OUTCOME_UNKNOWN]
    return refused[0] if len(refused) == parts else unanswered(write_id)


def unanswered(write_id: str) -> Problem:
    """Return what is told of a write of which nobody knows whether the log has all of it."""
    return Problem(
        OUTCOME_UNKNOWN,
        "The log did not say of every part of the write whether it has it. It may be stored yet; send it "
        "again with the same Idempotency-Key to be sure.",
        extra={"outcome": "unknown", "writeId": write_id},
    )


def counts(found: Sequence[Outcome]) -> dict[str, int]:
    """Return the sums an answer shows once a write is stored."""
    totals = {name: sum(getattr(o, name) for o in found) for name in ("inserted", "replaced", "ignored")}
    aside = sum(o.quarantined for o in found)
    return {**totals, "quarantined": aside} if aside else totals


def _may_see(token: Token, found: Sequence[Found]) -> bool:
    written = {(one.outcome.workspace, one.outcome.dataset) for one in found}
    return all(any(may(token, scope, *where) for scope in _SEEING) for where in written)


def _unknown(write_id: str) -> Problem:
    return Problem(WRITE_NOT_FOUND, f"No write was given the id {write_id[:64]!r} in the last 7 days.")


def _alerts(c: Any, found: Sequence[Found]) -> list[str]:
    ids: list[str] = []
    for one in found:
        first = Origin(one.epoch, one.partition, one.offset, one.outcome.item)
        ids.extend(alerts.raised_by(c, first, one.outcome.accepted))
    return ids[:1000]


def _whole(found: Sequence[Found]) -> bool:
    return bool(found) and len(found) == found[0].outcome.parts


def _state(found: Sequence[Found]) -> str:
    if not _whole(found):
        return "logged"
    aside = sum(one.outcome.quarantined for one in found)
    if aside:
        return "quarantined" if aside == sum(one.outcome.accepted for one in found) else "partial"
    return "stored" if found[0].outcome.flags & PERSIST else "published"
