"""The bare script: `python -m tests.bench.bare SECONDS BATCH` prints the rows a second that it inserts.

`executemany` of the rows of `tests.bench.rig.record`, a transaction each batch, into a table without an
index, WAL and synchronous=FULL: what SQLite can do from Python where nothing else is wanted of it.
"""

import sqlite3
import sys
import tempfile
from pathlib import Path
from time import perf_counter
from typing import Final

from tests.bench.rig import record

BATCHES: Final = 8


def insert(seconds: float, batch: int) -> float:
    """Return rows a second."""
    names = list(record(0))
    batches = [[tuple(record(k * batch + n).values()) for n in range(batch)] for k in range(BATCHES)]
    with tempfile.TemporaryDirectory(prefix="sluice-bench-") as folder:
        raw = sqlite3.connect(Path(folder) / "bare.db", isolation_level=None)
        raw.execute("PRAGMA journal_mode=WAL")
        raw.execute("PRAGMA synchronous=FULL")
        raw.execute(f"CREATE TABLE rows ({', '.join(names)})")
        statement = f"INSERT INTO rows VALUES ({', '.join('?' * len(names))})"
        rows = 0
        begun = perf_counter()
        while perf_counter() - begun < seconds:
            raw.execute("BEGIN")
            raw.executemany(statement, batches[rows // batch % BATCHES])
            raw.execute("COMMIT")
            rows += batch
        took = perf_counter() - begun
        raw.close()
    return rows / took


if __name__ == "__main__":
    print(insert(float(sys.argv[1]), int(sys.argv[2])))
