"""The bytes of a load, cut into the log as they come: durable before the answer, never whole in memory."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from hashlib import blake2b
from itertools import count
from typing import Final

from msgspec import Struct

from api.batch.places import Places
from api.entry.answer import Receive
from api.entry.body import GoneError, keep_pace, next_piece
from api.entry.inflating import Inflating
from api.entry.inflight import Inflight
from api.entry.pressure import Pressure
from rules.errors import BODY_TOO_LARGE, LOG_UNAVAILABLE, OVERLOADED, Problem
from rules.limits import KB
from streams.log import Log, LogError
from streams.topics import UPLOADS

CHUNK: Final = 512 * KB
LEAST: Final = 64 * KB
"""Bytes of a chunk that is written before it is full, because others wait for room."""

LONGEST: Final = 5 * 3600
KEPT: Final = 6 * 3600
"""Seconds that one body may take, and that its bytes stay where other processes may be receiving it."""
_UNBOUNDED: Final = 2**63

WHOLE: Final = 256
"""Bodies that are had whole, or waited for, at once."""

PATIENCE: Final = 30.0
ASK_EVERY: Final = 0.05


class Uploaded(Struct, frozen=True):
    """What came: where it is in the log (`rules.job.Source`), its bytes, a hash of them."""

    partition: int
    runs: list[tuple[int, int, int]]
    size: int
    digest: bytes


class Uploads:
    """Takes bodies into the topic `uploads`, each into one partition, and trims what nobody needs.

    `most` is the bytes of one body, `room` those of all that wait for the log. A body that finds no room
    waits for it, so a hundred at once are slow and not refused. One workspace has half of the places.
    `shared`: other processes take bodies too; of theirs only the time is known in which they must be whole.
    """

    def __init__(self, log: Log, pressure: Pressure, most: int, room: int, *, shared: bool = False) -> None:
        self._log = log
        self._pressure = pressure
        self._shared = shared
        self._most = most
        self._room = Inflight(room)
        self._places = Places(room // LEAST // 2)
        self._whole = Places(WHOLE)
        self._next = count()
        self._floors: dict[int, tuple[int, int]] = {}

    @asynccontextmanager
    async def begin(self, workspace: str, *, held: bool = False) -> AsyncIterator["Upload"]:
        """Open an upload; what it wrote is not trimmed before the context is left.

        `held`: its bytes are held by the caller, who has them whole or waits for them. To hold them here too
        would be to wait for oneself. Raises: Problem(overloaded, disk_low, stopping).
        """
        self._pressure.check(workspace, ())
        with (self._whole if held else self._places).one(workspace):
            number = next(self._next)
            partition = number % self._log.partitions
            self._floors[number] = (partition, self._log.bounds(UPLOADS, partition)[1])
            room = Inflight(_UNBOUNDED) if held else self._room
            upload = Upload(self._log, room, self._pressure, workspace, partition, self._most)
            try:
                yield upload
            finally:
                upload.let_go()
                del self._floors[number]

    async def trim(self, held: Callable[[], Awaitable[Mapping[int, int]]], now: int) -> int:
        """Drop what is below the offsets that jobs hold, by partition, and below what is being received.

        What jobs hold is asked after it was seen what is received: an upload that ends in between has its
        job then. `now` is in ns.
        """
        below = {}
        for partition in range(self._log.partitions):
            floors = [floor for place, floor in self._floors.values() if place == partition]
            below[partition] = min([self._log.bounds(UPLOADS, partition)[1], *floors])
        for partition, first in (await held()).items():
            below[partition] = min(first, below.get(partition, first))
        if not self._shared:
            return await self._log.trim(UPLOADS, below)
        return await self._log.trim(UPLOADS, below, now // 1_000_000 - KEPT * 1_000)


class Upload:
    """One body on its way into the log."""

    def __init__(
        self, log: Log, room: Inflight, pressure: Pressure, workspace: str, partition: int, most: int
    ) -> None:
        self._log = log
        self._room = room
        self._pressure = pressure
        self._workspace = workspace
        self.partition = partition
        self._most = most
        self._held = room.hold(workspace, 0)
        self._buffer = bytearray()
        self._pending: asyncio.Future[int] | None = None
        self._pending_bytes = 0
        self._runs: list[tuple[int, int, int]] = []
        self._size = 0
        self._digest = blake2b(digest_size=32)
        self._until = asyncio.get_running_loop().time() + LONGEST

    async def receive(self, receive: Receive, headers: Mapping[bytes, bytes]) -> None:
        """Take in the whole body of a request, decompressed.

        Raises: Problem: body_too_large, bad_encoding, unsupported_encoding, bad_request where it comes too
        slowly, overloaded, disk_low, log_unavailable; GoneError.
        """
        declared = headers.get(b"content-length")
        if declared is not None and declared.isdigit() and int(declared) > self._most:
            raise self._too_large()
        inflating = Inflating(headers.get(b"content-encoding"))
        now = asyncio.get_running_loop().time
        came, waited = 0, 0.0
        while True:
            begun = now()
            message = await next_piece(receive)
            came += len(message.get("body", b""))
            # only what the caller takes counts: that others have the room is not his doing
            waited += now() - begun
            keep_pace(waited, came)
            if came > self._most:
                raise self._too_large()
            if message["type"] == "http.disconnect":
                raise GoneError
            for piece in inflating.pieces(message.get("body", b"")):
                await self.add(piece)
            if not message.get("more_body", False):
                inflating.end()
                return

    async def add(self, piece: bytes) -> None:
        """Take in some bytes. Raises: Problem."""
        self._size += len(piece)
        if self._size > self._most:
            raise self._too_large()
        if asyncio.get_running_loop().time() > self._until:
            raise Problem(
                BODY_TOO_LARGE, f"The upload took more than {LONGEST // 3600} hours. Send it in parts."
            )
        self._digest.update(piece)
        if not _room_for(self._held.add, len(piece)):
            if len(self._buffer) >= LEAST:
                await self._flush(len(self._buffer))
            await take(self._held.add, len(piece))
        self._buffer += piece
        while len(self._buffer) >= CHUNK:
            await self._flush(CHUNK)

    async def end(self) -> Uploaded:
        """Return where the bytes are that came since the last end, once all of them are durable.

        Raises: Problem(log_unavailable).
        """
        if self._buffer:
            await self._flush(len(self._buffer))
        await self._settle()
        runs, self._runs = self._runs, []
        size = sum(times * each for _, times, each in runs)
        return Uploaded(self.partition, runs, size, self._digest.digest())

    def let_go(self) -> None:
        """Give back the room it has."""
        self._held.release()

    async def _flush(self, size: int) -> None:
        """Write some bytes as a chunk; the chunk before is durable then."""
        await self._settle()
        self._pressure.check(self._workspace, ())
        chunk = bytes(self._buffer[:size])
        del self._buffer[:size]
        self._pending_bytes = size
        self._pending = self._log.append(UPLOADS, self.partition, chunk)
        rest = self._held
        self._pending.add_done_callback(lambda _: rest.release())
        self._held = self._room.hold(self._workspace, 0)
        if self._buffer:
            await take(self._held.add, len(self._buffer))

    async def _settle(self) -> None:
        if self._pending is None:
            return
        pending, self._pending = self._pending, None
        try:
            offset = await pending
        except LogError as error:
            raise Problem(
                LOG_UNAVAILABLE, f"The log did not take the upload: {error}. Send it again."
            ) from error
        last = self._runs[-1] if self._runs else None
        if last is not None and last[0] + last[1] == offset and last[2] == self._pending_bytes:
            self._runs[-1] = (last[0], last[1] + 1, last[2])
        else:
            self._runs.append((offset, 1, self._pending_bytes))

    def _too_large(self) -> Problem:
        return Problem(
            BODY_TOO_LARGE,
            f"The upload has more than {self._most} bytes, the most that SLUICE_MAX_UPLOAD allows. Send it "
            "in parts.",
        )


def _room_for(hold: Callable[[int], None], size: int) -> bool:
    try:
        hold(size)
    except Problem:
        return False
    return True


async def take(hold: Callable[[int], None], size: int) -> None:
    """Hold more bytes (`Held.add`, `Reserved.reserve`), once there is room for them.

    Raises: Problem(overloaded) after half a minute.
    """
    deadline = asyncio.get_running_loop().time() + PATIENCE
    while not _room_for(hold, size):
        if asyncio.get_running_loop().time() > deadline:
            raise Problem(OVERLOADED, f"For {PATIENCE:g} s there was no room for more bytes of loads.")
        await asyncio.sleep(ASK_EVERY)
