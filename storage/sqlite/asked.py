"""The program that answers one question of an analyst's: `python -I -S asked.py`, the question on stdin.

A process of its own, of the standard library only: what SQLite does within one function it can't be stopped
at, and what it may have of memory it counts for the whole process. So this one is bounded by the system, and
whoever started it ends it. In (JSON): see `storage.sqlite.analysts`. Out: the answer as JSON, or
`{"refused": kind, "said": …}`.
"""

import json
import math
import os
import re
import resource
import secrets
import sqlite3
import sys
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

HEAP = 256 * 1024 * 1024
MEMORY = 768 * 1024 * 1024
FILE = 512 * 1024 * 1024
BUSY_MS = 2_000
STEPS = 50_000

LIMITS = {
    sqlite3.SQLITE_LIMIT_LENGTH: 8 * 1024 * 1024,
    sqlite3.SQLITE_LIMIT_SQL_LENGTH: 128 * 1024,
    sqlite3.SQLITE_LIMIT_EXPR_DEPTH: 250,
    sqlite3.SQLITE_LIMIT_COMPOUND_SELECT: 100,
    sqlite3.SQLITE_LIMIT_VDBE_OP: 500_000,
    sqlite3.SQLITE_LIMIT_FUNCTION_ARG: 100,
    sqlite3.SQLITE_LIMIT_ATTACHED: 0,
    sqlite3.SQLITE_LIMIT_LIKE_PATTERN_LENGTH: 1_000,
    sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER: 1_000,
    sqlite3.SQLITE_LIMIT_TRIGGER_DEPTH: 0,
    sqlite3.SQLITE_LIMIT_WORKER_THREADS: 0,
}
_ALLOWED = """
-> ->> abs acos acosh asin asinh atan atan2 atanh avg ceil ceiling char coalesce concat concat_ws cos
cosh count cume_dist current_date current_time current_timestamp date datetime degrees dense_rank exp
first_value floor format glob group_concat hex ifnull iif instr json json_array json_array_length
json_extract json_group_array json_group_object json_object json_quote json_type json_valid julianday
lag last_value lead length like likelihood likely ln log log10 log2 lower ltrim max min mod nth_value
ntile nullif octet_length percent_rank pi pow power printf quote radians random rank replace round
row_number rtrim sign sin sinh sqrt strftime string_agg substr substring sum tan tanh time timediff
total trim trunc typeof unhex unicode unixepoch unlikely upper
"""
FUNCTIONS = frozenset(_ALLOWED.split())
TABLE_FUNCTIONS = frozenset({"json_each", "json_tree"})
_UNKNOWN_TABLE = re.compile(r"no such table: (?:\w+\.)?(.*)", re.DOTALL)


class Refused(Exception):
    """The question is not answered: a kind that `storage.sqlite.analysts` knows, and what there is to say."""

    def __init__(self, kind: str, said: str = "") -> None:
        super().__init__(said)
        self.kind = kind
        self.said = said


class Given(dict[str, Any]):
    """The parameters' values, and which of them the query asked for."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        super().__init__(values)
        self.used: set[str] = set()

    def __getitem__(self, name: str) -> Any:
        self.used.add(name)
        return super().__getitem__(name)


class Permits:
    """What a query may do, asked by SQLite for each piece of it while it is compiled.

    `inner` names the table behind each inner view. A reader of a table is known by the name of what it is
    read in, and a CTE may have any name: so those of the inner views are drawn anew for each question.
    """

    def __init__(self, inner: Mapping[str, str], datasets: Iterable[str], others: Iterable[str]) -> None:
        self._inner = inner
        self._shown = {name.lower() for name in (*inner, *datasets)}
        self._countable = {*self._shown, *inner.values(), *TABLE_FUNCTIONS}
        self._others = {name.lower() for name in others}
        self.denied: Refused | None = None

    def __call__(
        self, action: int, first: str | None, second: str | None, database: str | None, within: str | None
    ) -> int:
        """Return whether SQLite may go on."""
        if action in (sqlite3.SQLITE_SELECT, sqlite3.SQLITE_RECURSIVE):
            return sqlite3.SQLITE_OK
        if action == sqlite3.SQLITE_FUNCTION:
            if (second or "").lower() in FUNCTIONS:
                return sqlite3.SQLITE_OK
            return self._deny(Refused("query", f"there is no function {second} here"))
        if first == "sqlite_master":  # where SQLite makes the table of a function when it is named first
            return self._deny(Refused("query", "it names what is no dataset"))
        if action != sqlite3.SQLITE_READ:
            return self._deny(Refused("select"))
        if self._may_read((first or "").lower(), second, database, within):
            return sqlite3.SQLITE_OK
        return self._deny(Refused("query", f"there is no dataset {first} here"))

    def _may_read(self, table: str, column: str | None, database: str | None, within: str | None) -> bool:
        if not column:  # rows are counted; of a CTE it is told, too
            return table in self._countable or (database is None and not self._taken(table))
        if database == "temp":
            return table in self._shown
        return self._inner.get(within or "") == table or table in TABLE_FUNCTIONS

    def _taken(self, name: str) -> bool:
        return name in self._others or name.startswith(("sqlite_", "pragma_"))

    def _deny(self, why: Refused) -> int:
        self.denied = self.denied or why
        return sqlite3.SQLITE_DENY


def bound(seconds: float) -> None:
    """Have the system bound this process, and let everybody else on this machine go first."""
    os.nice(10)
    for what, most in (
        (resource.RLIMIT_AS, MEMORY),
        (resource.RLIMIT_FSIZE, FILE),
        (resource.RLIMIT_CPU, math.ceil(seconds) + 5),
        (resource.RLIMIT_CORE, 0),
    ):
        hard = resource.getrlimit(what)[1]
        least = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(what, (least, least))


def answer(asked: Mapping[str, Any], deadline: float) -> bytes:
    """Return the answer to a question. Raises: Refused, sqlite3.Error, MemoryError."""
    where = Path(asked["path"]).absolute().as_uri() + "?mode=ro"
    connection = sqlite3.connect(where, uri=True, isolation_level=None, cached_statements=0)
    connection.text_factory = lambda raw: raw.decode(errors="replace")
    for pragma in (f"busy_timeout={BUSY_MS}", f"hard_heap_limit={HEAP}", "trusted_schema=0", "mmap_size=0"):
        connection.execute(f"PRAGMA {pragma}")
    permits = prepare(connection, asked)
    for limit, most in LIMITS.items():
        connection.setlimit(limit, most)
    connection.set_progress_handler(lambda: time.monotonic() >= deadline, STEPS)
    connection.set_authorizer(permits)
    given = Given(asked["parameters"])
    try:
        cursor = connection.execute(asked["query"], given)
    except sqlite3.Error as error:
        lacking = sorted(given.used - given.keys())
        if lacking:
            raise Refused("lacking", json.dumps(lacking)) from error
        raise permits.denied or error from error
    unused = sorted(given.keys() - given.used)
    if unused:
        raise Refused("unused", json.dumps(unused))
    if cursor.description is None:
        raise Refused("select")
    return written(cursor, asked["rows"], asked["bytes"])


def prepare(connection: sqlite3.Connection, asked: Mapping[str, Any]) -> Permits:
    """Begin on a snapshot that the catalogue given is of, and make the views of it. Raises: Refused."""
    connection.execute("BEGIN")
    now = "SELECT 1 FROM dataset WHERE live IS NOT NULL AND id = ? AND version = ?"
    for one in asked["datasets"]:
        if connection.execute(now, (one["id"], one["version"])).fetchone() is None:
            raise Refused("stale")
    for function in TABLE_FUNCTIONS:  # SQLite makes their tables when they are asked for first
        connection.execute(f"SELECT 1 FROM {function}('[]')").fetchall()  # noqa: S608
    inner: dict[str, str] = {}
    datasets = []
    for one in asked["datasets"]:
        if one["name"].startswith("sqlite_"):  # a name that SQLite keeps for itself
            continue
        hidden = f"v{secrets.token_hex(16)}"
        connection.execute(f'CREATE TEMP VIEW "{hidden}" AS {one["shown"]}')
        connection.execute(f'CREATE TEMP VIEW "{one["name"]}" AS SELECT * FROM temp."{hidden}"')  # noqa: S608
        inner[hidden] = f"d{one['id']}"
        datasets.append(one["name"])
    others = connection.execute("SELECT name FROM sqlite_master").fetchall()
    others += connection.execute("SELECT name FROM pragma_module_list").fetchall()
    connection.execute("PRAGMA query_only=1")
    return Permits(inner, datasets, (name for (name,) in others))


def written(cursor: sqlite3.Cursor, rows: int, size: int) -> bytes:
    """Return columns and rows as JSON, cut where they are more than asked for. Raises: Refused."""
    columns = [column[0] for column in cursor.description]
    parts: list[bytes] = []
    truncated = False
    for row in cursor:
        part = json.dumps([_value(cell) for cell in row], ensure_ascii=False, separators=(",", ":")).encode()
        size -= len(part)
        if size < 0 and not parts:
            raise Refused("large", "One row is larger than an answer may be.")
        if size < 0 or len(parts) == rows:
            truncated = True
            break
        parts.append(part)
    head = json.dumps(columns, ensure_ascii=False).encode()
    cut = b"true" if truncated else b"false"
    return b'{"columns":' + head + b',"rows":[' + b",".join(parts) + b'],"truncated":' + cut + b"}"


def _value(cell: Any) -> Any:
    if isinstance(cell, bytes):
        return "\\x" + cell.hex()
    if isinstance(cell, float) and not math.isfinite(cell):
        return "Infinity" if cell > 0 else "-Infinity"
    return cell


def judged(error: Exception, deadline: float) -> Refused:
    """Return what an error of SQLite's means to who asked."""
    said = str(error)
    code = getattr(error, "sqlite_errorcode", None) or 0
    if isinstance(error, MemoryError):
        return Refused("large", "The query needs more memory than one may have.")
    if code & 0xFF == sqlite3.SQLITE_INTERRUPT or time.monotonic() >= deadline:
        return Refused("slow")
    if code & 0xFF in (sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_TOOBIG, sqlite3.SQLITE_FULL):
        return Refused("large", f"The query needs too much: {said}.")
    if code == sqlite3.SQLITE_IOERR_WRITE:
        return Refused("large", "The query needs more room on disk than one may have.")
    if code & 0xFF in (sqlite3.SQLITE_ERROR, sqlite3.SQLITE_RANGE, sqlite3.SQLITE_AUTH, 0):
        table = _UNKNOWN_TABLE.fullmatch(said)
        return Refused("query", said if table is None else f"there is no dataset {table[1]} here")
    return Refused("later", said)


def main() -> None:
    """Answer the question on stdin."""
    asked = json.load(sys.stdin.buffer)
    deadline = time.monotonic() + asked["seconds"]
    bound(asked["seconds"])
    try:
        out = answer(asked, deadline)
    except Refused as refused:
        out = told(refused)
    except (sqlite3.Error, sqlite3.Warning, MemoryError, OverflowError) as error:
        out = told(judged(error, deadline))
    sys.stdout.buffer.write(out)


def told(refused: Refused) -> bytes:
    """Return a refusal as it goes to who started this process."""
    return json.dumps({"refused": refused.kind, "said": refused.said}).encode()


if __name__ == "__main__":
    main()
