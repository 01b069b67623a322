"""A body of line protocol to blocks: by skeletons where lines are regular, strictly where they are not.

The body is gone through in windows of whole lines. A window of one shape costs one call of its pattern. Else
its lines are sorted by how they begin, each kind is tried together, and what is left is read line by line.
A pattern takes whole lines only, so what it took stands, unless a text that began in a line before goes over
it: the strict parser says where its lines end, and what lies within is taken back.
"""

import re
from collections.abc import Iterator, Sequence
from itertools import accumulate, chain
from typing import Any, Final

from msgspec import Struct

from api.influx.point import AUTO, Point, unit_of
from api.influx.skeletons import TRIED, Skeleton, Skeletons, head_of
from api.influx.strict import LineError, read_line
from rules.errors import BAD_LINE, BODY_TOO_LARGE, RECORD_TOO_LARGE, Problem, Refusal, Refusals
from rules.limits import Limits
from rules.schema.moments import MAX_MOMENT, MIN_MOMENT
from rules.schema.points import Block, Shape

WINDOW: Final = 1 << 18
"""Characters of a window, about."""
COMPILED: Final = 512
"""What patterns may cost that are compiled for one body (`Skeletons.learn`)."""

_FOREIGN: Final = re.compile("[\udc80-\udcff]")


class Recognised(Struct, frozen=True):
    """What a body holds: blocks in the order in which they came up, and the lines that are none."""

    blocks: list[Block]
    refusals: Refusals


def recognise(body: bytes, scale: int, now: int, known: Skeletons, limits: Limits) -> Recognised:
    """Return the points of a body. `scale` is the timestamps' unit in ns; points without one get `now`.

    Raises: Problem(body_too_large) where it has more lines than a write may have.
    """
    lines = body.count(b"\n")
    if lines > limits.lines:
        raise Problem(
            BODY_TOO_LARGE, f"The body has {lines} lines; {limits.lines} are allowed. Send it in parts."
        )
    try:
        text, foreign = body.decode(), False
    except UnicodeDecodeError:
        text, foreign = body.decode(errors="surrogateescape"), True
    reader = _Reader(text, foreign, scale, now, known, limits)
    at = line = 0
    while at < len(text):
        at, line = reader.window(at, line)
    reader.blocks.sort(key=lambda block: block.lines[0])
    return Recognised(reader.blocks, reader.refusals)


class _Taken(Struct):
    """Lines that a pattern took, by their numbers in the window, and their groups."""

    skeleton: Skeleton
    rows: list[tuple[str, ...]]
    numbers: list[int]


class _Reader:
    def __init__(
        self, text: str, foreign: bool, scale: int, now: int, known: Skeletons, limits: Limits
    ) -> None:
        self.blocks: list[Block] = []
        self.refusals = Refusals(limits.errors_listed)
        self._text = text
        self._foreign = foreign
        self._scale = scale
        self._now = now
        self._known = known
        self._most = limits.record_bytes
        self._budget = COMPILED

    def window(self, at: int, first: int) -> tuple[int, int]:
        """Read the lines from offset `at` and line `first` on; return where the next window begins."""
        text = self._text
        end = text.find("\n", min(at + WINDOW, len(text))) + 1 or len(text)
        if not self._foreign and end - at <= self._most // 4:
            count = text.count("\n", at, end) + (text[end - 1] != "\n")
            for skeleton in self._known.of(head_of(text[at : text.find("\n", at) + 1 or end])):
                rows = skeleton.pattern.findall(text, at, end - (text[end - 1] == "\n"))
                if len(rows) == count and self._add(skeleton, rows, range(first, first + count)):
                    return end, first + count
        return self._mixed(at, end, first)

    def _mixed(self, at: int, end: int, first: int) -> tuple[int, int]:
        """Read a window whose lines are not all of one shape."""
        lines = self._text[at:end].split("\n")
        if not lines[-1]:
            lines.pop()
        starts = list(accumulate((len(line) + 1 for line in lines), initial=at))
        taken, left = self._by_head(lines)
        fresh: dict[str, list[_Taken]] = {}
        swallowed: set[int] = set()
        points: list[tuple[Point, int]] = []
        after = starts[-1]
        for number in left:
            if number in swallowed or self._again(lines[number], number, fresh):
                continue
            until = self._strictly(starts[number], first + number, points, fresh)
            following = number + 1
            while following < len(lines) and starts[following] < until:
                swallowed.add(following)
                following += 1
            after = max(after, until)
        for one in (*taken, *chain.from_iterable(fresh.values())):
            self._keep(one, swallowed, starts, first, points)
        self.blocks += _gathered(points, self._now)
        past = self._text.count("\n", starts[-1], after)
        return after, first + len(lines) + past

    def _by_head(self, lines: list[str]) -> tuple[list[_Taken], list[int]]:
        """Return what known patterns take, and the numbers of the lines that are left, in order."""
        alike: dict[str, list[int]] = {}
        left: list[int] = []
        for number, line in enumerate(lines):
            if len(line) > self._most // 4 or (self._foreign and _FOREIGN.search(line)):
                left.append(number)
            elif line and line != "\r":
                alike.setdefault(head_of(line), []).append(number)
        taken: list[_Taken] = []
        for head, numbers in alike.items():
            left += self._patterns(head, numbers, lines, taken)
        return taken, sorted(left)

    def _patterns(self, head: str, numbers: list[int], lines: list[str], taken: list[_Taken]) -> list[int]:
        """Try the patterns of a head on lines that begin with it; return those that none takes."""
        known = self._known.of(head)
        if not known:
            return numbers
        together = "\n".join([lines[number] for number in numbers])
        for skeleton in known:
            rows = skeleton.pattern.findall(together)
            if len(rows) == len(numbers):
                taken.append(_Taken(skeleton, _pairs(rows), numbers))
                return []
        by_pattern = [_Taken(skeleton, [], []) for skeleton in known]
        left = [number for number in numbers if not _try(by_pattern, lines[number], number)]
        taken += (one for one in by_pattern if one.rows)
        return left

    def _again(self, line: str, number: int, fresh: dict[str, list[_Taken]]) -> bool:
        """Try patterns that were learned in this window on a line."""
        found = fresh.get(head_of(line)) if fresh else None
        return found is not None and len(line) <= self._most // 4 and _try(found, line, number)

    def _strictly(
        self,
        start: int,
        number: int,
        points: list[tuple[Point, int]],
        fresh: dict[str, list[_Taken]] | None = None,
    ) -> int:
        """Read the line at an offset strictly; return where the next begins."""
        text = self._text
        try:
            point, end = read_line(text, start, self._scale)
        except LineError as error:
            self.refusals.add(Refusal(number, "", BAD_LINE, f"{error.message}"))
            return error.end
        if point is None:
            return end
        if self._foreign and _FOREIGN.search(text, start, end):
            self.refusals.add(Refusal(number, "", BAD_LINE, "the line is not valid UTF-8"))
        elif end - start > self._most // 4 and len(text[start:end].encode()) > self._most:
            message = f"the line has more than {self._most} bytes, as much as a record may have"
            self.refusals.add(Refusal(number, "", RECORD_TOO_LARGE, message))
        else:
            points.append((point, number))
            if fresh is not None and self._budget > 0:
                self._learn(text[start:end], point.shape, fresh)
        return end

    def _learn(self, line: str, shape: Shape, fresh: dict[str, list[_Taken]]) -> None:
        head = head_of(line)
        cost = self._known.learn(head, shape)
        self._budget -= cost
        if cost:
            found = fresh.setdefault(head, [])
            new = [skeleton for skeleton in self._known.of(head) if skeleton.shape == shape]
            found.extend(_Taken(skeleton, [], []) for skeleton in new if len(found) < TRIED)

    def _keep(
        self,
        one: _Taken,
        swallowed: set[int],
        starts: list[int],
        first: int,
        points: list[tuple[Point, int]],
    ) -> None:
        """Keep what a pattern took, less what a text over several lines went over."""
        if swallowed and not swallowed.isdisjoint(one.numbers):
            kept = [i for i, number in enumerate(one.numbers) if number not in swallowed]
            one.rows, one.numbers = [one.rows[i] for i in kept], [one.numbers[i] for i in kept]
        numbers = [first + number for number in one.numbers]
        if numbers and not self._add(one.skeleton, one.rows, numbers):
            for number in one.numbers:
                self._strictly(starts[number], first + number, points)

    def _add(self, skeleton: Skeleton, rows: list[tuple[str, ...]], numbers: Sequence[int]) -> bool:
        """Keep lines of one shape; False where one of their numbers is none, or out of range."""
        try:
            columns = skeleton.read(_pairs(rows))
        except ValueError:
            return False
        times = [self._now] * len(rows)
        if skeleton.shape.timed:
            times = _scaled(columns.pop(), self._scale)
            if not (min(times) >= MIN_MOMENT and max(times) <= MAX_MOMENT):
                return False
        self.blocks.append(Block(skeleton.shape, columns, times, numbers))
        return True


def _pairs(rows: list[Any]) -> list[tuple[str, ...]]:
    """Return `findall`'s rows as tuples: of a pattern with one group it gives the texts themselves."""
    return [(text,) for text in rows] if rows and isinstance(rows[0], str) else rows


def _try(by_pattern: list[_Taken], line: str, number: int) -> bool:
    for one in by_pattern:
        match = one.skeleton.pattern.match(line)
        if match is not None:
            one.rows.append(match.groups())
            one.numbers.append(number)
            return True
    return False


def _scaled(stamps: list[int], scale: int) -> list[int]:
    if scale == 1:
        return stamps
    if scale == AUTO:
        return [stamp * unit_of(stamp) for stamp in stamps]
    return [stamp * scale for stamp in stamps]


def _gathered(points: list[tuple[Point, int]], now: int) -> Iterator[Block]:
    """Yield blocks of points that were read one by one, a block a shape."""
    by_shape: dict[Shape, list[tuple[Point, int]]] = {}
    for pair in points:
        by_shape.setdefault(pair[0].shape, []).append(pair)
    for shape, mine in by_shape.items():
        columns = [list(column) for column in zip(*(point.values for point, _ in mine), strict=True)]
        times = [now if point.time is None else point.time for point, _ in mine]
        yield Block(shape, columns, times, [number for _, number in mine])
