"""The write lane: ten named steps from a request to its acknowledgement, the same for every front door.

A plain ASGI callable, because routing and injection cost more than everything else a small write needs.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from api.entry.answer import Receive, Scope, Send, problem
from api.entry.body import GoneError, receive_body
from api.entry.gate import Gate
from api.entry.inflight import Held, Inflight
from api.entry.params import Params
from api.entry.pressure import Pressure
from api.entry.quota import Quota
from api.entry.stop import cut_off
from api.entry.turns import Turns
from api.lane.admit import Admission
from api.lane.admitted import Admitted
from api.lane.cut import Part, Stamp, cut
from api.lane.door import Door, Reading, Request, Target, Written
from api.lane.mint import Mint
from api.lane.once import Keyed, Once, keyed, refused, stored_before, without_refused
from api.lane.outcome import Outcomes, counts, unanswered, unlogged
from rules.errors import (
    ALL_REFUSED,
    ATOMIC_REFUSED,
    INTERNAL,
    METHOD_NOT_ALLOWED,
    TOO_SLOW,
    Problem,
)
from rules.limits import Limits
from rules.signals import Meter
from storage.idempotency import Claim
from streams.publisher import Publisher

logger = logging.getLogger(__name__)

LONG: Final = 1 << 20
"""Bytes of a body that is read beside the loop: what is longer would hold up the other callers."""

MANY: Final = 20_000
"""Records of a write that is cut beside the loop, for the same reason."""

_METHODS: Final = ((b"allow", b"POST"),)
_CLASSES: Final = ("", "1xx", "2xx", "3xx", "4xx", "5xx")


@dataclass(frozen=True, slots=True)
class Parts:
    """What the lane is made of."""

    gate: Gate
    pressure: Pressure
    quota: Quota
    inflight: Inflight
    turns: Turns
    admission: Admission
    once: Once
    publisher: Publisher
    outcomes: Outcomes
    mint: Mint
    limits: Limits
    partitions: int
    meter: Meter
    clock: Callable[[], int]


class Lane:
    """Serves the front doors of writes: `doors` by the path, or by its first two segments."""

    def __init__(self, parts: Parts, doors: Mapping[str, Door]) -> None:
        self._parts = parts
        self._doors = doors

    def door(self, path: str) -> Door | None:
        """Return the door that a path leads to."""
        door = self._doors.get(path)
        if door is not None:
            return door
        head = path.split("/", 3)
        return self._doors.get(f"/{head[1]}/{head[2]}") if len(head) > 2 else None

    async def carry(self, door: Door, scope: Scope, receive: Receive, send: Send) -> None:
        """Carry a request that came to `door` from its head to its answer."""
        started = time.perf_counter()
        request = None
        try:
            request, target = self._identify(door, scope)
            written = await self._receive(door, request, target, receive)
            answer = door.answer(request, written)
        except Problem as refused:
            headers = _METHODS if refused.code is METHOD_NOT_ALLOWED else ()
            answer = door.refuse(refused, headers if request is None else request.params.ignored, request)
        except GoneError:
            return
        except asyncio.CancelledError:
            answer = door.refuse(cut_off("POST"), (), request)
        except Exception as error:
            logger.exception("A write failed: %s", error, extra={"action": "request_failed"})
            answer = problem(Problem(INTERNAL))
        meter = self._parts.meter
        meter.count("requests_total", status=_CLASSES[answer.status // 100])
        meter.time("write_seconds", time.perf_counter() - started)
        await answer.send(send)

    async def _receive(self, door: Door, request: Request, target: Target, receive: Receive) -> Written:
        parts = self._parts
        parts.quota.check(request.token.id)
        parts.pressure.check(target.workspace, parts.admission.places(target, parts.partitions))
        held = parts.inflight.hold(target.workspace, 0)
        booked, accepted, taken = parts.quota.book(request.token.id, request.headers), 0, 0
        try:
            limits = parts.limits
            wire, most = (
                (limits.lines_wire_bytes, limits.lines_body_bytes)
                if door.large
                else (limits.wire_bytes, limits.body_bytes)
            )
            body = await receive_body(receive, request.headers, held, wire, most)
            size = len(body)
            await parts.turns.wait(target.workspace, size)
            if size <= LONG:
                reading = door.read(request, target, body)
            else:
                reading = await asyncio.to_thread(door.read, request, target, body)
            for draft in reading.drafts:
                if draft.dataset is not target.dataset:
                    parts.gate.allow(request.token, "write", target.workspace, draft.dataset)
            key = keyed(request, target.workspace, body, limits)
            del body
            claim = await parts.once.find(key) if key is not None else None
            written = await self._write(target, reading, key, claim, held)
            accepted, taken = written.accepted, size
            return written
        except Problem as refused:
            if refused.code is TOO_SLOW:  # nobody waits any longer, and yet it is taken
                accepted, taken = refused.extra["accepted"], size
            raise
        finally:
            held.release()
            parts.quota.spend(request.token.id, accepted, taken - booked)
            parts.meter.count("records_accepted_total", accepted)

    def _identify(self, door: Door, scope: Scope) -> tuple[Request, Target]:
        headers, query = dict(scope["headers"]), scope["query_string"]
        if scope["method"] != "POST":
            raise Problem(METHOD_NOT_ALLOWED, f"Send {scope['path']} with POST.")
        token = self._parts.gate.identify(headers, query, passwords=door.passwords)
        request = Request(scope["method"], scope["path"], headers, query, Params(query), token)
        target = door.target(request)
        if target.dataset is not None or token.dataset is None:  # else each draft is asked for
            self._parts.gate.allow(token, "write", target.workspace, target.dataset)
        return request, target

    async def _write(
        self, target: Target, reading: Reading, key: Keyed | None, claim: Claim | None, held: Held
    ) -> Written:
        parts = self._parts
        if claim is not None:
            reading = Reading(without_refused(reading.drafts, claim), reading.options)
            found = await parts.outcomes.known(claim.write_id)
            if found is not None:
                return stored_before(claim, found, reading)
        admitted = await self._admit(target, reading)
        accepted = sum(one.count for one in admitted)
        rejected, errors = self._refused(reading, admitted, claim)
        if accepted == 0 or (rejected and reading.options.atomic):
            return self._nothing(reading, accepted, rejected, errors)
        if key is not None and claim is None:
            write_id = parts.mint.next(target.workspace)
            kept = refused(reading.drafts, admitted, rejected, errors)
            claim = await parts.once.claim(key, write_id, kept)
            if claim.write_id != write_id:  # somebody was faster with the same key: write what he wrote
                return await self._write(target, reading, key, claim, held)
        write_id = self._parts.mint.next(target.workspace) if claim is None else claim.write_id
        stamp = Stamp(
            write_id, target.workspace, self._parts.clock(), reading.options, rejected, claim is not None
        )
        partitions, most = self._parts.partitions, self._parts.limits.part_bytes
        if accepted <= MANY:
            pieces = cut(admitted, stamp, partitions, most)
        else:
            pieces = await asyncio.to_thread(cut, admitted, stamp, partitions, most)
        # what waits for the log waits as bytes: as objects it takes eight times what is held for it
        reading.drafts.clear()
        admitted.clear()
        return await self._log(stamp, pieces, accepted, errors, held)

    async def _admit(self, target: Target, reading: Reading) -> list[Admitted]:
        """Admit all drafts; where one refusal refuses all, the catalogue is changed once there is none."""
        admit, options = self._parts.admission.admit, reading.options
        grow = not (options.atomic and reading.refused)
        if options.atomic and len(reading.drafts) > 1 and grow:
            tried = [await admit(target.workspace, draft, options, False) for draft in reading.drafts]
            if any(one.refused for one in tried):
                return tried
        at_once = self._parts.admission.at_once
        return [
            at_once(target.workspace, draft, options) or await admit(target.workspace, draft, options, grow)
            for draft in reading.drafts
        ]

    def _refused(
        self, reading: Reading, admitted: list[Admitted], claim: Claim | None
    ) -> tuple[int, list[dict[str, Any]]]:
        refusals = reading.refusals + [r for one in admitted for r in one.refusals]
        if not refusals and claim is None:
            return 0, []
        for refusal in refusals:
            self._parts.meter.count("records_refused_total", code=refusal.code.name)
        rejected = reading.refused + sum(one.refused for one in admitted)
        refusals.sort(key=lambda r: r.index)
        errors = [r.to_json() for r in refusals[: self._parts.limits.errors_listed]]
        if claim is not None:  # what was refused the first time, and what fits no more
            kept: dict[str, Any] = claim.refusals
            rejected += kept["rejected"]
            errors = (kept["errors"] + errors)[: self._parts.limits.errors_listed]
        return rejected, errors

    def _nothing(
        self, reading: Reading, accepted: int, rejected: int, errors: list[dict[str, Any]]
    ) -> Written:
        """Nothing is written: there was nothing, or all of it was refused."""
        if not rejected:
            return Written(None, "published" if not reading.options.persist else "stored", 0, 0, [])
        code = ATOMIC_REFUSED if accepted else ALL_REFUSED
        total = accepted + rejected
        raise Problem(
            code,
            f"{rejected} of {total} records were refused; 'errors' says which and why. Nothing was written.",
            extra={"accepted": 0, "rejected": total if accepted else rejected, "errors": errors},
        )

    async def _log(
        self, stamp: Stamp, pieces: list[Part], accepted: int, errors: list[dict[str, Any]], held: Held
    ) -> Written:
        parts, options = self._parts, stamp.options
        stored = parts.outcomes.expect(stamp.write_id, len(pieces)) if options.wait else None
        deadline = time.monotonic() + options.timeout
        try:
            await self._append(stamp, pieces, held)
            if stored is None:
                return Written(stamp.write_id, "logged", accepted, stamp.rejected, errors)
            left = max(0.0, deadline - time.monotonic())
            found = await parts.outcomes.wait(stamp.write_id, stored, left, stamp.keyed)
        except asyncio.CancelledError as cancelled:  # at the stop: see `cut_off`
            raise unanswered(stamp.write_id) from cancelled
        finally:
            if stored is not None:
                parts.outcomes.forget(stamp.write_id)
        if found is None:
            extra = {
                "writeId": stamp.write_id,
                "accepted": accepted,
                "rejected": stamp.rejected,
                "errors": errors,
            }
            raise Problem(
                TOO_SLOW,
                f"The write is logged and will be stored, but was not within {options.timeout:g} s.",
                extra=extra,
            )
        ack = "stored" if options.persist else "published"
        return Written(stamp.write_id, ack, accepted, stamp.rejected, errors, counts(found))

    async def _append(self, stamp: Stamp, pieces: list[Part], held: Held) -> None:
        """Append all parts; what the write holds in memory is given back when its appends end."""
        publisher, meter = self._parts.publisher, self._parts.meter
        logged = [publisher.publish(p.partition, p.entry, stamp.workspace) for p in pieces]
        failed: list[Problem] = []
        for future in logged:
            try:
                await future
            except Problem as problem:
                failed.append(problem)
        held.release()
        if failed:
            meter.count("writes_total", outcome="unknown")
            raise unlogged(stamp.write_id, failed, len(logged))
        meter.count("writes_total", outcome="logged")
