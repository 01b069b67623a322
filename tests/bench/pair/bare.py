"""The bare script: `python -m tests.bench.pair.bare ADDRESS SECONDS BATCH` prints the rows a second it keeps.

The rows of `tests.bench.rig.record`, each under a key of its own, by COPY into a temporary table and merged
from there into one with a unique index, a transaction a batch: what PostgreSQL can do from Python where
nothing else is wanted of it.
"""

import sys
from time import perf_counter
from typing import Final

import psycopg

from tests.bench.rig import record

BATCHES: Final = 8
COLUMNS: Final = "station text, at timestamptz, temp float8, humidity float8, pressure bigint, ok boolean"


def merge(address: str, seconds: float, batch: int) -> float:
    """Return rows a second."""
    names = ", ".join(record(0))
    batches = [[tuple(record(k * batch + n).values()) for n in range(batch)] for k in range(BATCHES)]
    rows = 0
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute("DROP TABLE IF EXISTS bare")
        connection.execute(f"CREATE TABLE bare (key bigint PRIMARY KEY, {COLUMNS})".encode())
        connection.execute(f"CREATE TEMPORARY TABLE coming (key bigint, {COLUMNS})".encode())
        begun = perf_counter()
        while perf_counter() - begun < seconds:
            with connection.transaction(), connection.cursor() as cursor:
                with cursor.copy(f"COPY coming (key, {names}) FROM STDIN".encode()) as copy:
                    for number, row in enumerate(batches[rows // batch % BATCHES], rows):
                        copy.write_row((number, *row))
                cursor.execute("INSERT INTO bare SELECT * FROM coming ON CONFLICT (key) DO NOTHING")
                cursor.execute("TRUNCATE coming")
            rows += batch
        return rows / (perf_counter() - begun)


if __name__ == "__main__":
    print(merge(sys.argv[1], float(sys.argv[2]), int(sys.argv[3])))
