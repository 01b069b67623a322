"""`make crash`: every named point and `CRASH_ROUNDS` random kills, two brokers side by side, and a table."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from tests.crash.report import POINT, RANDOM
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
        lines = [line for report in reports for line in _read(report)]
    _print(lines, time.monotonic() - begin)
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


def _read(report: Path) -> Iterator[dict[str, Any]]:
    if report.exists():
        yield from (json.loads(line) for line in report.read_text().splitlines())


def _print(lines: list[dict[str, Any]], seconds: float) -> None:
    table = Table(box=None, pad_edge=False, title=f"killed, in {seconds / 60:.1f} minutes")
    for heading in ("at", "kills", "acknowledged", "stored", "alerts", "lost", "doubled", "missing"):
        table.add_column(heading, justify="left" if heading == "at" else "right")
    totals = ("acknowledged", "stored", "alerts", "lost", "doubled", "missing")
    for what in (POINT, RANDOM):
        mine = [line for line in lines if line["kind"] == what]
        last = {line["account"]: line for line in mine}.values()  # sums grow over one data directory
        sums = [str(sum(line[name] for line in last)) for name in totals]
        table.add_row(what, str(sum(line["kills"] for line in mine)), *sums)
    Console(width=120).print(table)


if __name__ == "__main__":
    sys.exit(main())
