"""One point as a line of line protocol says it, and the units of its time."""

from typing import Any, Final, NamedTuple

from rules.schema.points import Shape


class Point(NamedTuple):
    """A point: its shape, its values in the shape's order (tags, fields), its time.

    `time` is in ns since 1970, None where none was given.
    """

    shape: Shape
    values: tuple[Any, ...]
    time: int | None


AUTO: Final = 0
"""The scale of timestamps whose unit is told from how large they are."""

_MAGNITUDES: Final = ((5 * 10**9, 10**9), (5 * 10**12, 10**6), (5 * 10**15, 10**3))


def unit_of(stamp: int) -> int:
    """Return the nanoseconds of the unit that a timestamp without one is in, by InfluxDB 3's bounds."""
    return next((unit for bound, unit in _MAGNITUDES if abs(stamp) < bound), 1)
