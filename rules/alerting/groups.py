"""Holders behind one value: a lone one, or groups of them, each sorted by a threshold or merely listed."""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Generic, TypeVar

from rules.alerting.access import Above, Access, Steps, reach

T = TypeVar("T")

Shape = tuple[Steps, int, bool]
"""What thresholds must have in common to stand in one array: where, in which direction, whether inclusive."""

Label = tuple[Shape | None, Shape | None, bool]
"""What holders must have in common to stand in one group: two shapes, and whether who passes matches."""


def label(way: Access, sure: bool) -> Label:
    """Return which group among those of one bucket `way` leads to."""
    return _shape(way.first), _shape(way.second), sure


class Lone(Generic[T]):
    """The only holder behind a value, as most are: what it asks for lies in this one object.

    An event that leads to one of ten thousand rules finds little of that rule in the processor's cache, so
    what counts is how many objects are looked at one after the other.
    """

    __slots__ = ("_bound", "_first", "_second", "_second_bound", "_sure", "holder", "serial", "way")

    def __init__(self, label: Label, way: Access, serial: int, holder: T) -> None:
        self._first, self._second, self._sure = label
        self._bound = 0.0 if way.first is None else way.first.bound
        self._second_bound = 0.0 if way.second is None else way.second.bound
        self.holder = holder
        self.serial = serial
        self.way = way

    @property
    def label(self) -> Label:
        """The group in which it would stand among others."""
        return self._first, self._second, self._sure

    def find(self, record: Mapping[str, Any], sure: list[T], unsure: list[T]) -> None:
        """Append the holder to `sure`, or to `unsure`, if the record passes its thresholds."""
        if self._first is not None and not _passes(record, self._first, self._bound):
            return
        if self._second is not None and not _passes(record, self._second, self._second_bound):
            return
        (sure if self._sure else unsure).append(self.holder)


class Groups(Generic[T]):
    """Holders behind a value, those of one label in one group."""

    __slots__ = ("_groups",)

    def __init__(self) -> None:
        self._groups: dict[Label, Thresholds[T] | Everyone[T]] = {}

    def __len__(self) -> int:
        return len(self._groups)

    def insert(self, label: Label, way: Access, serial: int, holder: T) -> None:
        """Take `holder` in. `serial` is above all that were inserted before."""
        if label not in self._groups:
            self._groups[label] = group(label)
        self._groups[label].insert(way, serial, holder)

    def remove(self, label: Label, way: Access, serial: int) -> None:
        """Forget what was inserted with these."""
        self._groups[label].remove(way, serial)
        if not self._groups[label]:
            del self._groups[label]

    def find(self, record: Mapping[str, Any], sure: list[T], unsure: list[T]) -> None:
        """Append every holder whose thresholds the record passes to `sure`, or to `unsure`."""
        for one in self._groups.values():
            one.find(record, sure, unsure)


def group(label: Label) -> "Thresholds[T] | Everyone[T]":
    """Return a new group for holders of this label."""
    first, second, sure = label
    return Everyone(sure=sure) if first is None else Thresholds(first, second, sure=sure)


class Thresholds(Generic[T]):
    """Holders of a first threshold of one shape and, where `second` is given, of a second one of that shape.

    An entry is found by bisection of the first bounds; the second bound is compared one by one among those.
    Inserting and removing move the tail of four arrays: microseconds at 10,000 entries.
    """

    __slots__ = ("_bounds", "_count", "_first", "_holders", "_second", "_seconds", "_serials", "_sure")

    def __init__(self, first: Shape, second: Shape | None, *, sure: bool) -> None:
        self._first = first
        self._second = second
        self._sure = sure
        self._count = bisect_right if first[2] else bisect_left
        # Arrays of doubles, as an event seldom finds in the processor's cache what lies about as objects.
        self._bounds = array("d")
        self._seconds = array("d")
        self._serials = array("q")
        self._holders: list[T] = []

    def __len__(self) -> int:
        return len(self._bounds)

    def insert(self, way: Access, serial: int, holder: T) -> None:
        """Take `holder` in. `serial` is above all that were inserted before."""
        assert way.first is not None
        at = bisect_right(self._bounds, way.first.bound)
        self._bounds.insert(at, way.first.bound)
        self._serials.insert(at, serial)
        self._seconds.insert(at, 0.0 if way.second is None else way.second.bound)
        self._holders.insert(at, holder)

    def remove(self, way: Access, serial: int) -> None:
        """Forget what was inserted with these two."""
        assert way.first is not None
        # Equal bounds stand in the order of their serials, since a new one goes behind its equals.
        begin = bisect_left(self._bounds, way.first.bound)
        end = bisect_right(self._bounds, way.first.bound, begin)
        at = bisect_left(self._serials, serial, begin, end)
        del self._bounds[at], self._seconds[at], self._serials[at], self._holders[at]

    def find(self, record: Mapping[str, Any], sure: list[T], unsure: list[T]) -> None:
        """Append every holder whose thresholds the record passes to `sure`, or to `unsure`."""
        # An event pays for this once for every array it meets, so nothing of ours is called on the way.
        steps, sign, _ = self._first
        value: Any = record.get(steps) if type(steps) is str else reach(record, steps)
        kind = type(value)
        # By exact type: a boolean is an int to Python, and is no number in a condition.
        if kind is not float and kind is not int:
            return
        end = self._count(self._bounds, value if sign > 0 else -value)
        if not end:
            return
        found = sure if self._sure else unsure
        if self._second is None:
            found += self._holders[:end]
            return
        steps, sign, inclusive = self._second
        other: Any = record.get(steps) if type(steps) is str else reach(record, steps)
        kind = type(other)
        if kind is not float and kind is not int:
            return
        if sign < 0:
            other = -other
        pairs = zip(self._seconds[:end], self._holders, strict=False)
        if inclusive:
            found += [holder for bound, holder in pairs if bound <= other]
        else:
            found += [holder for bound, holder in pairs if bound < other]


class Everyone(Generic[T]):
    """Holders without a threshold: every record that comes here leads to each of them."""

    __slots__ = ("_holders", "_sure")

    def __init__(self, *, sure: bool) -> None:
        self._sure = sure
        self._holders: dict[int, T] = {}

    def __len__(self) -> int:
        return len(self._holders)

    def insert(self, _: Access, serial: int, holder: T) -> None:
        """Take `holder` in."""
        self._holders[serial] = holder

    def remove(self, _: Access, serial: int) -> None:
        """Forget what was inserted with this serial."""
        del self._holders[serial]

    def find(self, _: Mapping[str, Any], sure: list[T], unsure: list[T]) -> None:
        """Append every holder to `sure`, or to `unsure`."""
        (sure if self._sure else unsure).extend(self._holders.values())


def _passes(record: Mapping[str, Any], shape: Shape, bound: float) -> bool:
    """Return whether a record's value is a number past a threshold of this shape."""
    steps, sign, inclusive = shape
    value: Any = record.get(steps) if type(steps) is str else reach(record, steps)
    kind = type(value)
    # By exact type: a boolean is an int to Python, and is no number in a condition.
    if kind is not float and kind is not int:
        return False
    if sign < 0:
        value = -value
    return bool(value >= bound if inclusive else value > bound)


def _shape(predicate: Above | None) -> Shape | None:
    return None if predicate is None else _shared(predicate.steps, predicate.sign, predicate.inclusive)


@lru_cache(maxsize=4_096)
def _shared(steps: Steps, sign: int, inclusive: bool) -> Shape:
    """Return one tuple for all who ask for the same, so that thousands of groups look at the same memory."""
    return steps, sign, inclusive
