"""`make crash-engines`: `CRASH_ROUNDS` kills of each part of a broker in many processes, and a table."""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.crash.report import print_table, read
from tests.crash.seed import SEED
from tests.crash_engines.test_bad_days import AWAY, REBALANCES, SLEEPERS
from tests.crash_engines.test_killed import KINDS
from tests.crash_engines.test_nights import NIGHTS
from tests.crash_engines.test_unwritable import FULL, READ_ONLY
from tests.stage.process import HOUSE


def main() -> int:
    """Run everything and return the exit status."""
    rounds = os.environ.get("CRASH_ROUNDS") or "20"
    print(f"CRASH_SEED={SEED} CRASH_ROUNDS={rounds}: so many kills of each", flush=True)
    begin = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="sluice-crash-") as directory:
        report = Path(directory) / "report"
        own = {"CRASH_ROUNDS": rounds, "CRASH_SEED": SEED, "CRASH_REPORT": str(report)}
        command = (sys.executable, "-m", "pytest", "-s", "tests/crash_engines", *sys.argv[1:])
        status = subprocess.run(command, cwd=HOUSE, env={**os.environ, **own}, check=False).returncode
        lines = list(read(report))
    print_table(
        lines, (*KINDS, REBALANCES, SLEEPERS, AWAY, NIGHTS, READ_ONLY, FULL), time.monotonic() - begin
    )
    if status:
        print(f"Something was lost, doubled or not reached; CRASH_SEED={SEED} make crash-engines replays it.")
    return status


if __name__ == "__main__":
    sys.exit(main())
