"""One run of a bench: what may be asked of it, its rows measured one after the other, shown and kept."""

import argparse
import json
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path

import uvloop
from rich.console import Console

from tests.bench.machine import Machine, look
from tests.bench.report import keep, kept, show
from tests.bench.row import Row

Measure = Callable[[], Awaitable[list[Row]]]


def parser(
    prog: str, description: str | None, names: Sequence[str], seconds: float
) -> argparse.ArgumentParser:
    """Return a parser of what every bench may be asked; a half takes `seconds` unless told otherwise."""
    found = argparse.ArgumentParser(prog=prog, description=description)
    found.add_argument("--only", action="append", choices=names, help="measure only this; may be repeated")
    found.add_argument("--json", action="store_true", help="print JSON instead of a table")
    found.add_argument("--rounds", type=int, default=3, help="alternating pairs (default: 3)")
    found.add_argument(
        "--seconds", type=float, default=seconds, help=f"of each half of a pair (default: {seconds:g})"
    )
    return found


def run(
    given: argparse.Namespace,
    measures: Callable[[Machine], Mapping[str, Measure]],
    history: Path,
    left_out: Sequence[str] = (),
) -> int:
    """Measure, print, keep; return the exit status: 1 where a row could not be measured, 130 when stopped."""
    machine = look()
    console = Console(stderr=given.json, width=None if sys.stdout.isatty() else 150)
    wanted = {name: each for name, each in measures(machine).items() if name in (given.only or (name,))}
    try:
        rows, failed = uvloop.run(_measured(wanted, console))
    except KeyboardInterrupt:
        console.print("Stopped; nothing is kept of this run.")
        return 130
    result = kept(machine, rows, failed)
    if given.json:
        print(json.dumps(result, indent=2))
    else:
        show(console, machine, rows, failed)
        for each in left_out:
            console.print(f"not measured: {each}", highlight=False)
    keep(result, history)
    return 1 if failed else 0


async def _measured(measures: Mapping[str, Measure], console: Console) -> tuple[list[Row], list[str]]:
    rows: list[Row] = []
    failed: list[str] = []
    for name, measure in measures.items():
        with console.status(f"measuring {name} …"):
            try:
                rows += await measure()
            # One row that can't be measured must not hide the others.
            except Exception as error:
                failed.append(f"{name}: {type(error).__name__}: {error}")
    return rows, failed
