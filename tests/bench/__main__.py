"""`python -m tests.bench`: the rows that need no other server, as ratios measured in one run."""

import argparse
import json
import sys
from collections.abc import Awaitable, Callable
from typing import Final

import uvloop
from rich.console import Console

from tests.bench.batches import measure as batches
from tests.bench.datasets import measure as datasets
from tests.bench.influxd import INFLUXD
from tests.bench.lines import measure as lines
from tests.bench.loads import measure as loads
from tests.bench.machine import Machine, look
from tests.bench.peers import HOUSE
from tests.bench.report import keep, kept, show
from tests.bench.row import Plan, Row
from tests.bench.rules_index import measure as rules_index
from tests.bench.singles import measure as singles
from tests.bench.webhook import measure as webhook

HISTORY: Final = HOUSE / ".bench" / "history.jsonl"
NAMES: Final = ("singles", "batches", "lines", "loads", "rules", "webhook", "datasets")

LATER: Final = (
    "what Kafka and PostgreSQL take part in: `make bench-engines` does",
    "memory under sustained overload: `make overload` does",
)
NO_INFLUXD: Final = "points against InfluxDB 1.x: it is not installed (Debian's package influxdb)"


def main() -> int:
    """Measure, print, keep; return the exit status: 1 where a row could not be measured, 130 when stopped."""
    given = _arguments()
    machine = look()
    console = Console(stderr=given.json, width=None if sys.stdout.isatty() else 150)
    plan = Plan(given.rounds, given.seconds)
    wanted = given.only or list(NAMES)
    try:
        rows, failed = uvloop.run(_measured(wanted, plan, machine, console))
    except KeyboardInterrupt:
        console.print("Stopped; nothing is kept of this run.")
        return 130
    result = kept(machine, rows, failed)
    if given.json:
        print(json.dumps(result, indent=2))
    else:
        show(console, machine, rows, failed)
        for each in LATER if INFLUXD else (*LATER, NO_INFLUXD):
            console.print(f"not measured: {each}", highlight=False)
    keep(result, HISTORY)
    return 1 if failed else 0


async def _measured(
    wanted: list[str], plan: Plan, machine: Machine, console: Console
) -> tuple[list[Row], list[str]]:
    async def rules() -> list[Row]:
        return rules_index(plan)

    measures: dict[str, Callable[[], Awaitable[list[Row]]]] = {
        "singles": lambda: singles(plan, machine.sync_p50),
        "batches": lambda: batches(plan),
        "lines": lambda: lines(plan),
        "loads": lambda: loads(plan),
        "rules": rules,
        "webhook": lambda: webhook(plan),
        "datasets": lambda: datasets(plan),
    }
    rows: list[Row] = []
    failed: list[str] = []
    for name in wanted:
        with console.status(f"measuring {name} …"):
            try:
                rows += await measures[name]()
            # One row that can't be measured must not hide the others.
            except Exception as error:
                failed.append(f"{name}: {type(error).__name__}: {error}")
    return rows, failed


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--only", action="append", choices=NAMES, help="measure only this; may be repeated")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--rounds", type=int, default=3, help="alternating pairs (default: 3)")
    parser.add_argument("--seconds", type=float, default=2.0, help="of each half of a pair (default: 2)")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
