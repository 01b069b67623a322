"""`python -m tests.bench.pair`: the rows that Kafka and PostgreSQL take part in, as ratios of one run."""

import argparse
import json
import sys
from collections.abc import Awaitable, Callable
from typing import Final

import uvloop
from rich.console import Console

from tests.bench.machine import look
from tests.bench.pair.batches import measure as batches
from tests.bench.pair.catching_up import measure as catching_up
from tests.bench.pair.singles import measure as singles
from tests.bench.pair.stand import Engines, engines
from tests.bench.pair.stored import measure as stored
from tests.bench.pair.workers import measure as workers
from tests.bench.peers import HOUSE
from tests.bench.report import keep, kept, show
from tests.bench.row import Plan, Row

HISTORY: Final = HOUSE / ".bench" / "engines.jsonl"
NAMES: Final = ("singles", "batches", "workers", "catching", "stored")


def main() -> int:
    """Measure, print, keep; return the exit status: 1 where a row could not be measured, 130 when stopped."""
    given = _arguments()
    machine = look()
    console = Console(stderr=given.json, width=None if sys.stdout.isatty() else 150)
    try:
        rows, failed = uvloop.run(_measured(given, console))
    except KeyboardInterrupt:
        console.print("Stopped; nothing is kept of this run.")
        return 130
    result = kept(machine, rows, failed)
    if given.json:
        print(json.dumps(result, indent=2))
    else:
        show(console, machine, rows, failed)
    keep(result, HISTORY)
    return 1 if failed else 0


async def _measured(given: argparse.Namespace, console: Console) -> tuple[list[Row], list[str]]:
    plan = Plan(given.rounds, given.seconds)
    measures: dict[str, Callable[[Engines], Awaitable[list[Row]]]] = {
        "singles": lambda on: singles(plan, on),
        "batches": lambda on: batches(plan, on),
        "workers": lambda on: workers(plan, on, given.shared),
        "catching": lambda on: catching_up(on, given.backlog),
        "stored": lambda on: stored(plan, on, given.stored),
    }
    rows: list[Row] = []
    failed: list[str] = []
    for name in given.only or NAMES:
        with console.status(f"measuring {name} …"):
            try:
                with engines() as on:
                    rows += await measures[name](on)
            # One row that can't be measured must not hide the others.
            except Exception as error:
                failed.append(f"{name}: {type(error).__name__}: {error}")
    return rows, failed


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.pair", description=__doc__)
    parser.add_argument("--only", action="append", choices=NAMES, help="measure only this; may be repeated")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--rounds", type=int, default=3, help="alternating pairs (default: 3)")
    parser.add_argument("--seconds", type=float, default=4.0, help="of each half of a pair (default: 4)")
    parser.add_argument(
        "--backlog", type=int, default=5_000_000, help="records to catch up with (default: 5 million)"
    )
    parser.add_argument(
        "--stored", type=int, default=10_000_000, help="rows where many are stored (default: 10 million)"
    )
    parser.add_argument(
        "--shared",
        type=int,
        default=500_000,
        help="records that one and two workers apply (default: 500,000)",
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
