"""`python -m tests.bench`: the rows that need no other server, as ratios measured in one run."""

import sys
from typing import Final

from tests.bench.batches import measure as batches
from tests.bench.datasets import measure as datasets
from tests.bench.influxd import INFLUXD
from tests.bench.lines import measure as lines
from tests.bench.loads import measure as loads
from tests.bench.machine import Machine
from tests.bench.peers import HOUSE
from tests.bench.row import Plan, Row
from tests.bench.rules_index import measure as rules_index
from tests.bench.session import Measure, parser, run
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
    given = parser("python -m tests.bench", __doc__, NAMES, 2.0).parse_args()
    plan = Plan(given.rounds, given.seconds)

    async def rules() -> list[Row]:
        return rules_index(plan)

    def measures(machine: Machine) -> dict[str, Measure]:
        return {
            "singles": lambda: singles(plan, machine.sync_p50),
            "batches": lambda: batches(plan),
            "lines": lambda: lines(plan),
            "loads": lambda: loads(plan),
            "rules": rules,
            "webhook": lambda: webhook(plan),
            "datasets": lambda: datasets(plan),
        }

    return run(given, measures, HISTORY, LATER if INFLUXD else (*LATER, NO_INFLUXD))


if __name__ == "__main__":
    sys.exit(main())
