"""The bytes of a body, under their limits: on the wire, decompressed, in flight, in time."""

import asyncio
import zlib
from collections.abc import Generator, Mapping, MutableMapping
from types import coroutine
from typing import Any, Final, TypeVar

from api.entry.answer import Receive
from api.entry.inflight import Held
from rules.errors import BAD_ENCODING, BAD_REQUEST, BODY_TOO_LARGE, UNSUPPORTED_ENCODING, Problem

_GZIP: Final = 16 + zlib.MAX_WBITS
_ENCODINGS: Final = {b"gzip": _GZIP, b"x-gzip": _GZIP, b"deflate": zlib.MAX_WBITS}
_SILENCE: Final = 30.0
_GRACE: Final = 30.0
_PACE: Final = 16 * 1024
"""Bytes a second that a body must bring on average, after the grace: what is not whole holds memory."""
_STEP: Final = 1 << 20
_WINDOW: Final = 1 << 16
_MEMBERS: Final = 1_000

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


def _decompress(body: bytes, encoding: bytes, held: Held, most: int) -> bytes:
    name = encoding.strip().lower()
    if name in (b"", b"identity"):
        return body
    wbits = _ENCODINGS.get(name)
    if wbits is None:
        shown = name[:40].decode("latin-1")
        raise Problem(UNSUPPORTED_ENCODING, f"Content-Encoding {shown!r}: send gzip, deflate or identity.")
    try:
        return _inflate(body, wbits, held, most)
    except zlib.error as error:
        raise Problem(BAD_ENCODING, f"The {name.decode()} body is broken: {error}.") from error


def _inflate(body: bytes, wbits: int, held: Held, most: int) -> bytes:
    """Decompress all members, never further than the limit, in time proportional to what goes in and out."""
    if wbits == zlib.MAX_WBITS and body and (body[0] & 0x0F != 8 or len(body) < 2):
        wbits = -zlib.MAX_WBITS  # some clients send raw deflate under the name of deflate
    source = memoryview(body)
    out: list[bytes] = []
    size = place = members = 0
    while place < len(source):
        members += 1
        if members > (_MEMBERS if wbits == _GZIP else 1):
            raise zlib.error("it has more members than a body may have")
        stream = zlib.decompressobj(wbits)
        while not stream.eof:
            window = stream.unconsumed_tail
            if not window:
                window = bytes(source[place : place + _WINDOW])
                place += len(window)
            part = stream.decompress(window, _STEP)
            size += len(part)
            if size > most:
                raise _too_large(f"decompressed, more than {most} bytes", most)
            held.add(len(part))
            out.append(part)
            if not part and not window and not stream.eof:
                raise zlib.error("it is cut short")
        place -= len(stream.unused_data)
    return b"".join(out)


def _too_large(what: str, limit: int) -> Problem:
    return Problem(BODY_TOO_LARGE, f"The body has {what}; {limit} are allowed. Send it in parts.")
