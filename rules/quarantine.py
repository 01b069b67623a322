"""When a record is set aside, and when setting aside must stop instead.

A bad deploy must not empty a topic into the quarantine: past 100 in a row, or a tenth of the last
thousand, the partition stops and waits for a person (arroyo's DlqLimit has the same purpose).
"""

from dataclasses import dataclass, replace
from typing import Final

from rules.errors import Halt

IN_A_ROW: Final = 100
WINDOW: Final = 1_000
SHARE: Final = 10


@dataclass(frozen=True, slots=True)
class Failures:
    """Counters kept in the offsets row: aside in a row, and `recent` of the `seen` latest (2,000 at most)."""

    row: int = 0
    recent: int = 0
    seen: int = 0


class TooManyError(Halt):
    """So much is being set aside that something else must be wrong."""


def count(failures: Failures, verdicts: list[bool]) -> Failures:
    """Return the counters after records that were set aside (True) or stored (False), in order.

    Raises: TooManyError.
    """
    if True not in verdicts:
        return _decayed(replace(failures, row=0, seen=failures.seen + len(verdicts)))
    for aside in verdicts:
        failures = _decayed(
            Failures(failures.row + 1 if aside else 0, failures.recent + aside, failures.seen + 1)
        )
        if failures.row >= IN_A_ROW:
            raise TooManyError(f"{failures.row} records in a row could not be stored")
        if failures.seen >= WINDOW and failures.recent * SHARE > failures.seen:
            raise TooManyError(f"{failures.recent} of the last {failures.seen} records could not be stored")
    return failures


def _decayed(failures: Failures) -> Failures:
    """Halve the window once it holds two thousand, so that what is long past counts less and less."""
    if failures.seen < 2 * WINDOW:
        return failures
    share = WINDOW / failures.seen
    return Failures(failures.row, int(failures.recent * share), WINDOW)
