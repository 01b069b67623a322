"""`python -m tests.overload`: twenty times what a broker can take, and whether it stays what it is."""

import argparse
import sys
from collections.abc import Awaitable, Callable
from typing import Final

import uvloop
from rich.console import Console
from rich.table import Table

from tests.overload.light import Served
from tests.overload.shapes import BATCHES, SINGLE, Result, flood
from tests.overload.slow import trickle

FULL: Final = 60.0
"""Seconds from which on a flood meets the broker's own settings; a shorter one would end before them."""


def _settings(seconds: float) -> dict[str, str]:
    return {} if seconds >= FULL else {"backlog_bytes": "16MB"}


SHAPES: dict[str, Callable[[float], Awaitable[Result]]] = {
    "single": lambda seconds: flood(SINGLE, seconds, **_settings(seconds)),
    "batch": lambda seconds: flood(BATCHES, seconds, **_settings(seconds)),
    "slow": trickle,
}


def main() -> int:
    """Flood, print, return 1 where a law is broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.overload", description=__doc__)
    parser.add_argument("--seconds", type=float, default=120.0, help="of each shape (default: 120)")
    parser.add_argument("--only", action="append", choices=tuple(SHAPES), help="may be repeated")
    given = parser.parse_args()
    console = Console(width=None if sys.stdout.isatty() else 150)
    results = []
    for name in given.only or SHAPES:
        with console.status(f"flooding: {name} …"):
            results.append(uvloop.run(SHAPES[name](given.seconds)))
        _print(console, results[-1])
    return 1 if any(result.broken for result in results) else 0


def _print(console: Console, result: Result) -> None:
    table = Table("overload", result.shape, title_justify="left")
    for name, value in _rows(result):
        table.add_row(name, value)
    console.print(table)
    for law in result.broken:
        console.print(f"broken: {law}", style="bold red", markup=False)


def _rows(result: Result) -> list[tuple[str, str]]:
    told, truth, after = result.flooded, result.truth, result.memory.since(min(60, int(result.seconds // 2)))
    answered = sum(told.statuses.values())
    return [
        (
            "it can take",
            f"{result.capacity:,.0f} requests/s, {result.capacity * result.batch:,.0f} records/s",
        ),
        ("offered", f"{told.due:,} requests in {result.seconds:g} s, {told.due / result.seconds:,.0f}/s"),
        (
            "of these sent",
            f"{told.sent:,}; the connections were full {told.full / max(1, told.looks):.0%} of the time",
        ),
        ("answered", f"{answered:,}: {dict(sorted(told.statuses.items()))}"),
        ("accepted", f"{len(told.accepted):,} requests, {len(told.accepted) / result.seconds:,.0f}/s"),
        ("refused", f"{dict(sorted(told.codes.items()))}; {told.backoff:,} say when to come again"),
        ("accepted and stored", str(truth) if truth else "-"),
        ("resident memory", _memory(result, after.least, after.most, after.slope)),
        ("light client", _served(result.beside)),
        ("the same, in the flooded partition", _served(result.within)),
        (
            "after the last answer",
            f"ready and writing in {result.recovery:.2f} s, all stored in {result.behind:.1f} s",
        ),
    ]


def _memory(result: Result, least: float, most: float, slope: float) -> str:
    whole = result.memory.seen
    return (
        f"{whole[0]:.0f} MB at first, {max(whole):.0f} at most; after a minute, or from the middle, "
        f"{least:.0f} to {most:.0f}, {slope:+.1f} MB a minute; each 10 s: {[round(mb) for mb in whole[::10]]}"
    )


def _served(served: Served) -> str:
    times = ", ".join(f"{name} {served.percentile(share) * 1e3:,.0f} ms" for name, share in _SHARES)
    sent = len(served.took) + sum(served.failed.values())
    return f"{served.rate:.1%} of {sent} stored; {times}; failed {served.failed}"


_SHARES = (("p50", 0.5), ("p99", 0.99), ("longest", 1.0))

if __name__ == "__main__":
    sys.exit(main())
