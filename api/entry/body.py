"""The bytes of a body, under their limits: on the wire, decompressed, in flight, in time."""

import asyncio
from collections.abc import Generator, Mapping, MutableMapping
from types import coroutine
from typing import Any, Final, TypeVar

from api.entry.answer import Receive
from api.entry.inflating import Inflating
from api.entry.inflight import Held
from rules.errors import BAD_REQUEST, BODY_TOO_LARGE, UNSUPPORTED_TYPE, Problem

_SILENCE: Final = 30.0
_GRACE: Final = 30.0
_PACE: Final = 16 * 1024
"""Bytes a second that a body must bring on average, after the grace: what is not whole holds memory."""

T = TypeVar("T")


class GoneError(Exception):
    """The caller went away before the body was whole."""


async def receive_body(
    receive: Receive, headers: Mapping[bytes, bytes], held: Held, wire: int, most: int
) -> bytes:
    """Return the whole body, decompressed.

    `wire` and `most` are the limits in bytes before and after. Raises: Problem, GoneError.
    """
    declared = headers.get(b"content-length")
    if declared is not None and declared.isdigit():
        if int(declared) > wire:
            raise _too_large(f"{int(declared)} bytes", wire)
        held.foresee(int(declared))
    parts: list[bytes] = []
    size = 0
    begun: float | None = None
    while True:
        message = await next_piece(receive)
        if message["type"] == "http.disconnect":
            raise GoneError
        part = message.get("body", b"")
        if part:
            size += len(part)
            if size > wire:
                raise _too_large(f"more than {wire} bytes", wire)
            held.add(len(part))
            parts.append(part)
        if not message.get("more_body", False):
            break
        begun = _keeping_up(begun, size)
    body = parts[0] if len(parts) == 1 else b"".join(parts)
    encoding = headers.get(b"content-encoding")
    return body if encoding is None else _decompress(body, encoding, held, most)


def _keeping_up(begun: float | None, size: int) -> float:
    """Return when the body began, unless it comes too slowly to hold memory for it. Raises: Problem."""
    now = asyncio.get_running_loop().time()
    if begun is None:
        return now
    keep_pace(now - begun, size)
    return begun


def keep_pace(seconds: float, size: int) -> None:
    """Let a body pass of which so many bytes came in so many seconds. Raises: Problem(bad_request)."""
    if seconds > _GRACE + size / _PACE:
        raise Problem(
            BAD_REQUEST,
            f"{size} bytes of the body came in {seconds:.0f} seconds; {_PACE} a second are the least. "
            "Send it in smaller parts.",
        )


@coroutine
def next_piece(receive: Receive) -> Generator[Any, None, MutableMapping[str, Any]]:
    """Return the next piece of a body, or say that it did not come.

    What is there already costs no timer: the call is driven by hand up to where it has to wait.
    """
    coming = receive().__await__()
    try:
        waits_for = next(coming)
    except StopIteration as at_once:
        piece: MutableMapping[str, Any] = at_once.value
        return piece
    task = asyncio.current_task()
    assert task is not None
    late = _Late(task)
    handle = asyncio.get_running_loop().call_later(_SILENCE, late.cancel)
    try:
        return (yield from _go_on(coming, waits_for))
    except asyncio.CancelledError as cancelled:
        if not late.fired:
            raise
        task.uncancel()
        raise Problem(BAD_REQUEST, f"Nothing of the body came for {_SILENCE:g} seconds.") from cancelled
    finally:
        handle.cancel()


def _go_on(coming: Generator[Any, Any, T], waits_for: Any) -> Generator[Any, None, T]:
    """Drive a call on from where it waits for something, as `yield from` would from its beginning."""
    try:
        while True:
            try:
                yield waits_for
            except BaseException as thrown:
                waits_for = coming.throw(thrown)
            else:
                waits_for = next(coming)
    except StopIteration as ended:
        result: T = ended.value
        return result


class _Late:
    __slots__ = ("_task", "fired")

    def __init__(self, task: "asyncio.Task[Any]") -> None:
        self._task = task
        self.fired = False

    def cancel(self) -> None:
        self.fired = True
        self._task.cancel()


def no_form(headers: Mapping[bytes, bytes]) -> None:
    """Let a body pass that is no form: its parts' heads would be read as records.

    Raises: Problem(unsupported_type).
    """
    if headers.get(b"content-type", b"").strip().lower().startswith(b"multipart/"):
        raise Problem(
            UNSUPPORTED_TYPE,
            "A form with files is not taken; send the file itself as the body (curl --data-binary @file).",
        )


def _decompress(body: bytes, encoding: bytes, held: Held, most: int) -> bytes:
    inflating = Inflating(encoding)
    if inflating.plain:
        return body
    out: list[bytes] = []
    size = 0
    for piece in inflating.pieces(body):
        size += len(piece)
        if size > most:
            raise _too_large(f"decompressed, more than {most} bytes", most)
        held.add(len(piece))
        out.append(piece)
    inflating.end()
    return b"".join(out)


def _too_large(what: str, limit: int) -> Problem:
    return Problem(BODY_TOO_LARGE, f"The body has {what}; {limit} are allowed. Send it in parts.")
