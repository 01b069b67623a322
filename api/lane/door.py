"""The Door protocol: a front door alone knows its language, the road asks nothing about it.

A door is visited twice: it reads a request into drafts, and words the answer.

The values are msgspec structs, not dataclasses: some ten are made for every write, and a frozen dataclass
takes ten times as long to make.
"""

from collections.abc import Container, Iterator, Mapping, Sequence
from typing import Any, Protocol

from msgspec import Struct

from api.entry.answer import Answer, Headers
from api.entry.params import Params
from rules.envelope import Handling
from rules.errors import Problem, Refusal
from rules.names import mapped_apart
from rules.schema.points import Block
from rules.token import Token


class Request(Struct, frozen=True):
    """One HTTP request, before its body. In `notes` a door keeps what it needs again for the answer."""

    method: str
    path: str
    headers: Mapping[bytes, bytes]
    query: bytes
    params: Params
    token: Token
    notes: dict[str, Any] = {}


class Target(Struct, frozen=True):
    """What a write is for; `dataset` is None where the body names it."""

    workspace: str
    dataset: str | None


class Options(Struct, frozen=True):
    """What the caller asked for. `timeout` is in seconds."""

    wait: bool
    event: bool = True
    persist: bool = True
    handling: Handling = Handling.IGNORE
    create: bool = True
    atomic: bool = False
    timeout: float = 10.0


class Points(Struct, frozen=True):
    """Points of one measurement of a bucket, not looked at yet; their lines place them in the request."""

    bucket: str
    measurement: str
    blocks: list[Block]

    @property
    def labels(self) -> dict[str, str]:
        """What their dataset is known by, beside its name."""
        return {"bucket": self.bucket, "measurement": self.measurement}

    @property
    def apart(self) -> str:
        """The name of their dataset where a measurement that differs in case has the usual one."""
        return mapped_apart(self.bucket, self.measurement)

    def without(self, lines: Container[int]) -> "Points":
        """Return them without those of some lines."""
        return Points(self.bucket, self.measurement, list(_blocks_without(self.blocks, lines)))


class Draft(Struct, frozen=True):
    """Records for one dataset, not looked at yet. `indexes` places them in the request (None: from 0 on).

    `plain` promises that the body held no run of 16 digits and no U+0000; `size` is that of the body in
    bytes, so no record of it is larger. With `points` there are those and no records.
    """

    dataset: str
    records: list[Any]
    plain: bool
    indexes: list[int] | None
    size: int
    points: Points | None = None

    @property
    def places(self) -> Sequence[int]:
        """Where in the request the records or points stand."""
        if self.points is not None:
            return sorted(line for block in self.points.blocks for line in block.lines)
        return self.indexes or range(len(self.records))


class Reading(Struct, frozen=True):
    """What a door made of a request: drafts, and what it refused itself: the first refusals, and how many."""

    drafts: list[Draft]
    options: Options
    refusals: list[Refusal] = []
    refused: int = 0


class Written(Struct, frozen=True):
    """What became of a write, for its answer. `counts` holds inserted, replaced, ignored once stored."""

    write_id: str | None
    ack: str
    accepted: int
    rejected: int
    errors: Sequence[dict[str, Any]]
    counts: dict[str, int] | None = None


class Door(Protocol):
    """One front door's language.

    `large` says that its bodies may be as large as those of line protocol, `passwords` that its callers may
    send their token as InfluxDB 1's do.
    """

    large: bool
    passwords: bool

    def target(self, request: Request) -> Target:
        """Return what the write is for. Raises: Problem."""
        ...

    def read(self, request: Request, target: Target, body: bytes) -> Reading:
        """Return the drafts of a body. Raises: Problem."""
        ...

    def answer(self, request: Request, written: Written) -> Answer:
        """Word what became of the write."""
        ...

    def refuse(self, problem: Problem, headers: Headers, request: Request | None = None) -> Answer:
        """Word why it was refused; `headers` come with it. Who asked may not be known yet."""
        ...


def _blocks_without(blocks: Sequence[Block], lines: Container[int]) -> Iterator[Block]:
    for block in blocks:
        kept = [i for i, line in enumerate(block.lines) if line not in lines]
        if kept:
            columns = [[column[i] for i in kept] for column in block.columns]
            yield Block(block.shape, columns, [block.times[i] for i in kept], [block.lines[i] for i in kept])
