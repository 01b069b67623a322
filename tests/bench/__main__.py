"""`python -m tests.bench`: the rows that need no other server, as ratios measured in one run."""

import argparse
import json
import sys
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import uvloop
from rich.console import Console
from rich.table import Table

from tests.bench.batches import measure as batches
from tests.bench.datasets import measure as datasets
from tests.bench.influxd import INFLUXD
from tests.bench.lines import measure as lines
from tests.bench.load import WRK
from tests.bench.loads import measure as loads
from tests.bench.machine import Machine, look
from tests.bench.peers import HOUSE
from tests.bench.row import Plan, Row
from tests.bench.rules_index import measure as rules_index
from tests.bench.singles import measure as singles
from tests.bench.webhook import measure as webhook

HISTORY: Final = HOUSE / ".bench" / "history.jsonl"
COLOURS: Final = {"dream": "bold green", "reached": "green", "missed": "red", "told": ""}
NAMES: Final = ("singles", "batches", "lines", "loads", "rules", "webhook", "datasets")

LATER: Final = (
    "single records on Apache Kafka against Redpanda Connect: needs both servers",
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
    if given.json:
        print(json.dumps(_kept(machine, rows, failed), indent=2))
    else:
        _print(console, machine, rows, failed)
    _keep(_kept(machine, rows, failed))
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


def _print(console: Console, machine: Machine, rows: list[Row], failed: list[str]) -> None:
    console.print(
        f"{machine.name}: {machine.cores} cores of {machine.cpu}, {machine.python}; load {machine.load:.1f} "
        f"at the start; fdatasync of 4 KB in {machine.directory}: p50 {machine.sync_p50:.2f} ms, "
        f"p99 {machine.sync_p99:.2f} ms",
        highlight=False,
    )
    if machine.load > machine.cores / 2:
        console.print("The machine is busy with something else: the figures are too low.", style="yellow")
    table = Table("work", "against")
    for heading in ("ratio", "of pairs", "to reach", "to dream of"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("figures")
    for row in rows:
        table.add_row(*_cells(row), style=COLOURS[row.verdict])
    console.print(table)
    if WRK is None:
        console.print(
            "wrk is not installed: the load came from a slower generator in Python.", style="yellow"
        )
    for each in LATER if INFLUXD else (*LATER, NO_INFLUXD):
        console.print(f"not measured: {each}", highlight=False)
    for each in failed:
        console.print(f"could not be measured: {each}", style="bold red", markup=False)


def _cells(row: Row) -> tuple[str, ...]:
    figures = ", ".join(f"{name} {_shown(value)}" for name, value in row.figures.items())
    goal = row.goal
    return (
        row.work + (f" ({row.remark})" if row.remark else ""),
        row.against,
        f"{row.ratio:.2f}",
        f"{min(row.ratios):.2f}–{max(row.ratios):.2f}",
        "-" if goal is None else goal.shown(goal.reach),
        "-" if goal is None else goal.shown(goal.dream),
        figures,
    )


def _shown(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _kept(machine: Machine, rows: list[Row], failed: list[str]) -> dict[str, object]:
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": asdict(machine),
        "load_by": "wrk" if WRK else "python",
        "rows": [row.to_json() for row in rows],
        "failed": failed,
    }


def _keep(result: dict[str, object], history: Path = HISTORY) -> None:
    history.parent.mkdir(exist_ok=True)
    (history.parent / ".gitignore").write_text("*\n")
    with history.open("a") as file:
        file.write(json.dumps(result) + "\n")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--only", action="append", choices=NAMES, help="measure only this; may be repeated")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--rounds", type=int, default=3, help="alternating pairs (default: 3)")
    parser.add_argument("--seconds", type=float, default=2.0, help="of each half of a pair (default: 2)")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
