"""`python -m tests.rubbish`: the long form: made requests at the lane, and schemathesis over the document."""

import argparse
import sys
import tempfile
import time
from pathlib import Path

import uvloop

from tests.rubbish import document, lane


def main() -> int:
    """Run what is asked for; return 1 where a law is broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.rubbish", description=__doc__)
    parser.add_argument(
        "--examples", type=int, default=100_000, help="requests at the lane (default: 100,000)"
    )
    parser.add_argument("--only", choices=("lane", "document"))
    given = parser.parse_args()
    broken: list[str] = []
    if given.only != "document":
        begun = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="rubbish-") as folder:
            tally = uvloop.run(lane.run(given.examples, Path(folder) / "data"))
        print(f"lane: {tally.asked:,} requests in {time.monotonic() - begun:.0f} s, all laws held")
        for name, count in sorted(tally.statuses.items()):
            print(f"  {name:32}{count:>9,}")
    if given.only != "lane":
        broken = document.run(max(10, given.examples // 2_000))
    for law in broken:
        print(f"broken: {law}")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
