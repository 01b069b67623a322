"""`sluice demo`: a real public data set through a broker, with two rules and a webhook receiver.

The broker is one of the demo's own, or one that runs: there it has a workspace of its own, which it leaves.

What must come of it is counted independently, in plain Python, and compared.
"""

from asyncio import CancelledError, current_task, get_running_loop, timeout
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from secrets import token_hex
from signal import SIGINT, SIGTERM
from time import perf_counter, time_ns
from typing import Final

from aiohttp import ClientConnectionError, ClientSession
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from infra.demo_broker import BrokerFailed, DemoBroker, own_broker
from infra.demo_receiver import Receiver, receiving
from infra.demo_records import RULES, NoDataError, Reading, load_readings, place_of
from infra.demo_replay import Busy, Refused, Replay
from infra.demo_report import Report, Tally

WORKSPACE: Final = "demo"
SETTLE: Final = 60.0
"""Seconds that storing, and then delivering, may take once everything is written."""

STOPPED: Final = 130

_TROUBLES: Final = (NoDataError, BrokerFailed, Refused, Busy, ClientConnectionError, TimeoutError)


class _AskedToStop(Exception):
    """A signal asked the demo to stop."""


async def run_demo(rows: int, running: DemoBroker | None = None) -> int:
    """Replay at most `rows` records and return the exit status: 0 if and only if everything adds up.

    `running` is a broker to replay them to, instead of one of the demo's own. 130 where SIGINT or SIGTERM
    stopped it; the demo's own broker and its data are gone then, too.
    """
    console = Console()
    try:
        with _stopped_by_signals():
            report = await _replayed(load_readings(rows), console, running)
    except _AskedToStop:
        console.print("Stopped; a broker of the demo's own and its data are gone.")
        return STOPPED
    except (ExceptionGroup, *_TROUBLES) as failure:
        for sentence in _sentences(failure):
            console.print(f"The demo failed: {sentence}", markup=False)
        return 1
    console.print(report.table())
    differences = report.differences()
    for difference in differences:
        console.print(difference, style="bold red", markup=False)
    console.print("[bold red]It does not add up.[/]" if differences else "[bold green]Everything adds up.[/]")
    return 1 if differences else 0


@asynccontextmanager
async def _broker(running: DemoBroker | None, console: Console) -> AsyncIterator[tuple[DemoBroker, str]]:
    """Give a broker to replay to, and a workspace that has nothing yet."""
    if running is not None:
        yield running, f"{WORKSPACE}_{token_hex(4)}"
        return
    console.print("Starting a broker of the demo's own …")
    async with own_broker() as broker:
        yield broker, WORKSPACE


async def _replayed(readings: Sequence[Reading], console: Console, running: DemoBroker | None) -> Report:
    expected = [rule.alerts(readings) for rule in RULES]
    async with (
        _broker(running, console) as (broker, workspace),
        receiving(Receiver()) as receiver,
        ClientSession() as session,
    ):
        console.print(
            f"It serves on {broker.url}; {len(readings):,} records are replayed to its workspace {workspace}."
        )
        replay = Replay(session, broker.url, broker.token, workspace)
        subscription = await replay.make("subscriptions", {"kind": "webhook", "url": receiver.url})
        receiver.secret = subscription["secret"]
        for rule in RULES:
            await replay.make("rules", rule.declared)
        with _progress(console) as progress:
            writing = progress.add_task("written", total=len(readings))
            storing = progress.add_task("stored", total=len(readings))
            telling = progress.add_task("alerts delivered", total=sum(expected))
            receiver.on_arrival(lambda: progress.advance(telling))
            begun, begun_at = perf_counter(), time_ns()
            await replay.write(readings, lambda records: progress.advance(writing, records))
            written = perf_counter()
            stored = await replay.stored(lambda records: progress.advance(storing, records), SETTLE)
            with suppress(TimeoutError):
                async with timeout(SETTLE):
                    await receiver.until(sum(expected))
        raised = Counter(alert["rule"] for alert in await replay.alerts())
        if running is not None:  # nobody answers there any more
            await replay.drop("subscriptions", subscription["id"])
    delivered = Counter(arrival.alert["rule"] for arrival in receiver.arrivals.values())
    return Report(
        records=len(readings),
        requests=len(replay.write_ids),
        retried=replay.retried,
        accepted=replay.accepted,
        stored=stored,
        tallies=tuple(
            Tally(rule.id, count, raised[rule.id], delivered[rule.id])
            for rule, count in zip(RULES, expected, strict=True)
        ),
        forged=receiver.forged,
        repeated=receiver.repeated,
        writing=written - begun,
        storing=(replay.stored_at - begun_at) / 1e9,
        to_webhook=tuple(
            arrival.at - replay.sent[place_of(arrival.alert["event"])]
            for arrival in receiver.arrivals.values()
        ),
    )


def _progress(console: Console) -> Progress:
    columns = (TextColumn("{task.description:>16}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=console)


@contextmanager
def _stopped_by_signals() -> Iterator[None]:
    """Let SIGINT and SIGTERM cancel what runs within, so that it cleans up. Raises: _AskedToStop."""
    loop, task = get_running_loop(), current_task()
    assert task is not None
    asked: list[int] = []

    def stop(number: int) -> None:
        asked.append(number)
        task.cancel()

    for number in (SIGINT, SIGTERM):
        loop.add_signal_handler(number, stop, number)
    try:
        yield
    except CancelledError as error:
        if not asked:
            raise
        while task.uncancel():
            pass
        raise _AskedToStop from error
    finally:
        for number in (SIGINT, SIGTERM):
            loop.remove_signal_handler(number)


def _sentences(failure: Exception) -> list[str]:
    """Return what went wrong, each thing once. Raises: what is no trouble of a kind that was foreseen."""
    if isinstance(failure, ExceptionGroup):
        _, unforeseen = failure.split(_TROUBLES)
        if unforeseen is not None:
            raise failure
        return list(dict.fromkeys(text for each in failure.exceptions for text in _sentences(each)))
    return [str(failure) or type(failure).__name__]
