"""`python -m tests.bench.pair`: the rows that Kafka and PostgreSQL take part in, as ratios of one run."""

import argparse
import sys
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

from tests.bench.machine import Machine
from tests.bench.pair.batches import measure as batches
from tests.bench.pair.benthos import is_there
from tests.bench.pair.catching_up import measure as catching_up
from tests.bench.pair.singles import against_benthos, against_embedded
from tests.bench.pair.stand import Engines, engines
from tests.bench.pair.stored import measure as stored
from tests.bench.pair.workers import measure as workers
from tests.bench.peers import HOUSE
from tests.bench.row import Plan, Row
from tests.bench.session import Measure, parser, run

HISTORY: Final = HOUSE / ".bench" / "engines.jsonl"
NAMES: Final = ("benthos", "singles", "batches", "workers", "catching", "stored")
NO_GO: Final = (
    "single records against Benthos: it is built with Go, which is not installed (Debian's golang-go)"
)


def main() -> int:
    """Measure, print, keep; return the exit status: 1 where a row could not be measured, 130 when stopped."""
    given = _arguments()
    plan = Plan(given.rounds, given.seconds)

    def measures(_: Machine) -> dict[str, Measure]:
        on: dict[str, Callable[[Engines], Awaitable[list[Row]]]] = {
            "benthos": lambda on: against_benthos(plan, on),
            "singles": lambda on: against_embedded(plan, on),
            "batches": lambda on: batches(plan, on),
            "workers": lambda on: workers(plan, on, given.shared),
            "catching": lambda on: catching_up(on, given.backlog),
            "stored": lambda on: stored(plan, on, given.stored),
        }
        if not is_there():
            del on["benthos"]
        return {name: partial(_on_engines, measure) for name, measure in on.items()}

    return run(given, measures, HISTORY, () if is_there() else (NO_GO,))


async def _on_engines(measure: Callable[[Engines], Awaitable[list[Row]]]) -> list[Row]:
    with engines() as on:
        return await measure(on)


def _arguments() -> argparse.Namespace:
    found = parser("python -m tests.bench.pair", __doc__, NAMES, 4.0)
    found.add_argument(
        "--backlog", type=int, default=5_000_000, help="records to catch up with (default: 5 million)"
    )
    found.add_argument(
        "--stored", type=int, default=10_000_000, help="rows where many are stored (default: 10 million)"
    )
    found.add_argument(
        "--shared",
        type=int,
        default=500_000,
        help="records that one and two workers apply (default: 500,000)",
    )
    return found.parse_args()


if __name__ == "__main__":
    sys.exit(main())
