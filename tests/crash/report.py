"""What a run tells: a line a kill, and a line of JSON for the table at its end."""

import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from tests.crash.account import Account
from tests.crash.books import Found

POINT, RANDOM = "a named point", "any moment"


def said(kind: str, name: str, account: Account, found: Found, seconds: float, kills: int) -> None:
    """Print how a kill went; `kind` is its line in the table, `seconds` is what the next start took.

    Raises: AssertionError, where something was lost, doubled or not alerted.
    """
    print(
        f"  {name:<28} started again in {seconds:4.1f} s; so far {account.acknowledged} acknowledged, "
        f"{found.stored} stored, {found.alerts} alerts",
        flush=True,
    )
    file = os.environ.get("CRASH_REPORT")
    if file is not None:
        line = {
            "kind": kind,
            "name": name,
            "kills": kills,
            "account": f"{os.getpid()} {account.name}",
            "acknowledged": account.acknowledged,
            "stored": found.stored,
            "alerts": found.alerts,
            "lost": len(found.lost),
            "doubled": len(found.doubled),
            "missing": len(found.missing),
        }
        with Path(file).open("a") as report:
            report.write(json.dumps(line) + "\n")
    found.right()


def read(report: Path) -> Iterator[dict[str, Any]]:
    """Yield the lines of a report, none where nothing was told."""
    if report.exists():
        yield from (json.loads(line) for line in report.read_text().splitlines())


def print_table(lines: Sequence[dict[str, Any]], kinds: Sequence[str], seconds: float) -> None:
    """Print the sums of each kind of kill."""
    table = Table(box=None, pad_edge=False, title=f"killed, in {seconds / 60:.1f} minutes")
    for heading in ("at", "kills", "acknowledged", "stored", "alerts", "lost", "doubled", "missing"):
        table.add_column(heading, justify="left" if heading == "at" else "right")
    totals = ("acknowledged", "stored", "alerts", "lost", "doubled", "missing")
    for what in kinds:
        mine = [line for line in lines if line["kind"] == what]
        last = {line["account"]: line for line in mine}.values()  # sums grow over one data directory
        sums = [str(sum(line[name] for line in last)) for name in totals]
        table.add_row(what, str(sum(line["kills"] for line in mine)), *sums)
    Console(width=120).print(table)
