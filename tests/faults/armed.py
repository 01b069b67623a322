"""`python -m tests.faults.armed serve`: the broker, with what the test's environment puts in its way.

`FAULTS_SEGMENT` is the size of the log's segments in bytes. `FAULTS_CLOCK` is a file with seconds by which
the clock is wrong; it is read at each look at the clock.
"""

import os
import time
from functools import partial
from pathlib import Path


def _arm() -> None:
    from infra import carrier

    segment = os.environ.get("FAULTS_SEGMENT")
    if segment:
        carrier.LogPlan = partial(carrier.LogPlan, segment_bytes=int(segment))  # type: ignore[misc, assignment]


def _shift_the_clock(by: Path) -> None:
    true_ns = time.time_ns

    def wrong_ns() -> int:
        return true_ns() + int(by.read_text() or "0") * 10**9

    time.time_ns = wrong_ns
    time.time = lambda: wrong_ns() / 1e9


def _main() -> None:
    clock = os.environ.get("FAULTS_CLOCK")
    if clock:
        # before anything of ours is imported, for it may take the functions by name
        _shift_the_clock(Path(clock))
    _arm()
    from infra.cli import main

    main()


if __name__ == "__main__":
    _main()
