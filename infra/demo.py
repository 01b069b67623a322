"""`sluice demo`: a real public data set through a broker of its own, with two rules and a webhook receiver.

What must come of it is counted independently, in plain Python, and compared.
"""

from asyncio import CancelledError, current_task, get_running_loop, timeout
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from signal import SIGINT, SIGTERM
from time import perf_counter
from typing import Final

from aiohttp import ClientConnectionError, ClientSession
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from infra.demo_broker import BrokerFailed, own_broker
from infra.demo_receiver import Receiver, receiving
from infra.demo_records import RULES, NoDataError, Reading, load_readings, place_of
from infra.demo_replay import Busy, Refused, Replay
from infra.demo_report import Report, Tally

WORKSPACE: Final = "demo"
SETTLE: Final = 60.0
"""Seconds that storing, and then delivering, may take once everything is written."""

STOPPED: Final = 130


async def run_demo(rows: int) -> int:
    """Replay at most `rows` records and return the exit status: 0 if and only if everything adds up.

    130 where SIGINT or SIGTERM stopped it; the broker and its data are gone then, too.
    """
    console = Console()
    try:
        with _stopped_by_signals():
            report = await _replayed(load_readings(rows), console)
    except _AskedToStop:
        console.print("Stopped; the demo's broker and its data are gone.")
        return STOPPED
    except NoDataError as error:
        console.print(str(error), markup=False)
        return 2
    except* (BrokerFailed, Refused, Busy, ClientConnectionError, TimeoutError) as failures:
        for failure in _flat(failures):
            console.print(f"The demo failed: {failure!s}", markup=False)
        return 1
    console.print(report.table())
    differences = report.differences()
    for difference in differences:
        console.print(difference, style="bold red", markup=False)
    console.print("[bold red]It does not add up.[/]" if differences else "[bold green]Everything adds up.[/]")
    return 1 if differences else 0
