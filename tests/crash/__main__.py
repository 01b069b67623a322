"""`make crash`: every named point and `CRASH_ROUNDS` random kills, two brokers side by side, and a table."""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from tests.crash.report import POINT, RANDOM, print_table, read
from tests.crash.seed import SEED
from tests.stage.process import HOUSE

SIDES: Final = 2
SHARED: Final = ("test_every_point", "test_killed_at_random")
"""What the sides share; the first one has the rest too."""


def main() -> int:
    """Run everything and return the exit status."""
    rounds = os.environ.get("CRASH_ROUNDS") or "200"
    print(
        f"CRASH_SEED={SEED} CRASH_ROUNDS={rounds}: every named point, and so many kills at random", flush=True
    )
    begin = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="sluice-crash-") as directory:
        reports = [Path(directory) / str(side) for side in range(SIDES)]
        sides = [_begin(side, report, rounds) for side, report in enumerate(reports)]
        statuses = [side.wait() for side in sides]
        lines = [line for report in reports for line in read(report)]
    print_table(lines, (POINT, RANDOM), time.monotonic() - begin)
    if any(statuses):
        print(f"Something was lost, doubled or not reached; CRASH_SEED={SEED} make crash replays it.")
    return int(any(statuses))


def _begin(side: int, report: Path, rounds: str) -> "subprocess.Popen[bytes]":
    own = {
        "CRASH_ALL": "1",
        "CRASH_ROUNDS": rounds,
        "CRASH_SEED": SEED,
        "CRASH_SHARE": f"{side}/{SIDES}",
        "CRASH_REPORT": str(report),
    }
    what = ["tests/crash"] if side == 0 else [f"tests/crash/{name}.py" for name in SHARED]
    command = (sys.executable, "-m", "pytest", "-s", *what)
    return subprocess.Popen(command, cwd=HOUSE, env={**os.environ, **own})


if __name__ == "__main__":
    sys.exit(main())
