"""What a run of the bench prints and keeps."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table

from tests.bench.load import WRK
from tests.bench.machine import Machine
from tests.bench.row import Row

COLOURS: Final = {"dream": "bold green", "reached": "green", "missed": "red", "told": ""}


def show(console: Console, machine: Machine, rows: Sequence[Row], failed: Sequence[str]) -> None:
    """Print the rows as a table, under what they were measured on."""
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
    for each in failed:
        console.print(f"could not be measured: {each}", style="bold red", markup=False)


def kept(machine: Machine, rows: Sequence[Row], failed: Sequence[str]) -> dict[str, object]:
    """Return a run for a machine."""
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": asdict(machine),
        "load_by": "wrk" if WRK else "python",
        "rows": [row.to_json() for row in rows],
        "failed": list(failed),
    }


def keep(result: dict[str, object], history: Path) -> None:
    """Append a run to the file of all of them."""
    history.parent.mkdir(exist_ok=True)
    (history.parent / ".gitignore").write_text("*\n")
    with history.open("a") as file:
        file.write(json.dumps(result) + "\n")


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
