"""Sizes and durations as people write them in settings, and as numbers: whole bytes, whole nanoseconds."""

import re
from dataclasses import dataclass
from typing import Annotated, Final

from pydantic import BeforeValidator

from rules.limits import KB, MB
from rules.schema.moments import parse_duration

GB: Final = 1024 * MB
SECOND: Final = 10**9
DAY: Final = 86_400 * SECOND

_SIZE = re.compile(r"([0-9]{1,18})\s*([KMGT]?B)?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Unit:
    """The words for numbers of one kind and what each stands for, largest first."""

    words: tuple[tuple[str, int], ...]

    def show(self, value: int) -> str:
        """Return `value` with the largest word that divides it, so that nothing is lost."""
        word, size = next((pair for pair in self.words if value % pair[1] == 0 < value), self.words[-1])
        return f"{value // size}{word}"


BYTES: Final = Unit((("TB", 1024 * GB), ("GB", GB), ("MB", MB), ("KB", KB), ("B", 1)))
TIME: Final = Unit(
    (
        ("d", DAY),
        ("h", 3_600 * SECOND),
        ("m", 60 * SECOND),
        ("s", SECOND),
        ("ms", SECOND // 1_000),
    )
)


def read_size(value: object) -> int:
    """Return a size such as `64MB`, `512KB`, `1GB` or `4096` in bytes (1 KB is 1,024).

    Raises: ValueError, with a sentence for whoever set it.
    """
    match = _SIZE.fullmatch(str(value).strip())
    if match is None:
        raise ValueError("a size is a whole number of bytes, or one and KB, MB, GB or TB: 64MB")
    return int(match[1]) * dict(BYTES.words)[(match[2] or "B").upper()]


def read_duration(value: object) -> int:
    """Return a duration such as `250ms`, `20s` or `7d` in nanoseconds.

    Raises: ValueError, with a sentence for whoever set it.
    """
    return parse_duration(str(value).strip())


Size = Annotated[int, BeforeValidator(read_size), BYTES]
Duration = Annotated[int, BeforeValidator(read_duration), TIME]
