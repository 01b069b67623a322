"""Skeletons: one compiled pattern a shape of line, for bodies that are regular, as those of clients are.

A pattern knows a line's names and types and leaves its values open, but only where they are plain: tags and
names (but the measurement's) without a backslash, texts without a backslash or a line feed, one space where
spaces may be. Whatever a pattern takes the strict parser takes too, with the same result; whatever it does
not take says nothing. Patterns are kept by how the line begins, a bounded number of them.
"""

import re
import sys
from collections import OrderedDict
from collections.abc import Callable, Sequence
from threading import Lock
from typing import Any, Final, NamedTuple

from api.influx.strict import MEASUREMENT, unescape_name
from rules.schema.dataset import ColumnType
from rules.schema.points import Shape
from rules.schema.values import MAX_INTEGER, MAX_UNSIGNED, MIN_INTEGER

KEPT: Final = 512
"""How many heads of lines are known, with up to `TRIED` patterns each."""
TRIED: Final = 4
NAMES: Final = 256
"""Names that a line may have; what has more is read strictly, as a pattern would take long to compile."""
SEEN: Final = 4_096
"""Shapes that were read strictly and are remembered, so that the second of its kind gets a pattern."""

_EACH: Final = 8

_BOOLEANS: Final = {
    **dict.fromkeys(("t", "T", "true", "True", "TRUE"), True),
    **dict.fromkeys(("f", "F", "false", "False", "FALSE"), False),
}
_TAG: Final = r"([^\x00-\x20\x7f,=\\]+)"
# Numbers are open to more than numbers: what is none, `float` and `int` refuse, quicker than a pattern could.
_OPEN: Final = {
    ColumnType.NUMBER: r"([-.0-9][-+.0-9eE]{0,31})",
    ColumnType.INTEGER: r"([-0-9]{1,20})i",
    ColumnType.UNSIGNED: r"([0-9]{1,20})u",
    ColumnType.BOOLEAN: r"(t|T|true|True|TRUE|f|F|false|False|FALSE)",
    ColumnType.STRING: r'"([^"\\\n\x00]*)"',
}
_READ: Final[dict[ColumnType, Callable[[str], Any]]] = {
    ColumnType.NUMBER: float,
    ColumnType.INTEGER: int,
    ColumnType.UNSIGNED: int,
    ColumnType.BOOLEAN: _BOOLEANS.__getitem__,
}
_REACH: Final[dict[ColumnType, tuple[float, float]]] = {
    ColumnType.NUMBER: (-sys.float_info.max, sys.float_info.max),
    ColumnType.INTEGER: (MIN_INTEGER, MAX_INTEGER),
    ColumnType.UNSIGNED: (0, MAX_UNSIGNED),
}


class Skeleton(NamedTuple):
    """A shape and the pattern of its lines: its groups are tags, fields and, where timed, the timestamp."""

    shape: Shape
    pattern: "re.Pattern[str]"

    def read(self, rows: Sequence[tuple[str, ...]]) -> list[list[Any]]:
        """Return what the groups of several lines say, column by column; timestamps in their own unit.

        Raises: ValueError where one of them is no such number, or out of its range.
        """
        columns = list(zip(*rows, strict=True))
        found: list[list[Any]] = [list(texts) for texts in columns[: len(self.shape.tags)]]
        for kind, texts in zip(self.shape.types, columns[len(found) :], strict=False):
            reader = _READ.get(kind)
            values = list(texts) if reader is None else list(map(reader, texts))
            if kind in _REACH and not (_REACH[kind][0] <= min(values) and max(values) <= _REACH[kind][1]):
                raise ValueError("a number is out of range")
            found.append(values)
        if self.shape.timed:
            found.append(list(map(int, columns[-1])))
        return found


def head_of(line: str) -> str:
    """Return how a line begins: its measurement as it is written. Lines of one skeleton begin alike."""
    comma = line.find(",")
    space = line.find(" ")
    if comma < 0 or -1 < space < comma:
        comma = space
    if comma > 0 and line[comma - 1] == "\\":
        name = MEASUREMENT.match(line)
        return line if name is None else name[0]
    return line if comma < 0 else line[:comma]


class Skeletons:
    """The skeletons that are known. Threads may share it: long bodies are read beside the loop."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._by_head: OrderedDict[str, list[Skeleton]] = OrderedDict()
        self._seen: OrderedDict[Shape, None] = OrderedDict()

    def of(self, head: str) -> list[Skeleton]:
        """Return the skeletons whose lines begin so, those that were used last first."""
        with self._lock:
            found = self._by_head.get(head)
            if found is None:
                return []
            self._by_head.move_to_end(head)
            return list(found)

    def learn(self, head: str, shape: Shape) -> int:
        """Learn from a line that was read strictly; the second of its kind makes the pattern.

        Returns what that costs, 0 where none was made: the names to compile, and something for the pattern.
        """
        names = len(shape.tags) + len(shape.fields)
        if (
            not names
            or names > NAMES
            or unescape_name(r"\1", head) != shape.measurement
            or not all(map(_plain, (*shape.tags, *shape.fields)))
        ):
            return 0
        with self._lock:
            if shape not in self._seen:
                self._seen[shape] = None
                if len(self._seen) > SEEN:
                    self._seen.popitem(last=False)
                return 0
            del self._seen[shape]
            known = self._by_head.setdefault(head, [])
            if any(skeleton.shape == shape for skeleton in known):
                return 0
            known.insert(0, skeleton_of(shape, head))
            del known[TRIED:]
            if len(self._by_head) > KEPT:
                self._by_head.popitem(last=False)
        return names + _EACH


def skeleton_of(shape: Shape, head: str) -> Skeleton:
    """Return the skeleton of a shape whose lines begin so, and whose tags and fields need no escape."""
    parts = ["^", re.escape(head)]
    parts += (f",{re.escape(tag)}={_TAG}" for tag in shape.tags)
    fields = (
        f"{re.escape(name)}={_OPEN[kind]}" for name, kind in zip(shape.fields, shape.types, strict=True)
    )
    parts += [" ", ",".join(fields)]
    if shape.timed:
        parts.append(" ([-0-9]{1,20})")
    return Skeleton(shape, re.compile("".join((*parts, r"\r?$")), re.MULTILINE))


def _plain(name: str) -> bool:
    return not any(mark in name for mark in "\\,= ")
