"""Analysts on SQLite: each question is answered by a process of its own, `storage.sqlite.asked`.

It opens the file read-only, and sees of it what views of one workspace show: an authorizer denies the rest.
"""

import logging
import os
import subprocess
import sys
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Final

import msgspec
from sqlalchemy import Connection

from rules.errors import NOT_A_SELECT, Later, Problem
from rules.question import Bounds, Question, lacking, unused
from storage import datasets
from storage.analysts import Answering, nothing_there, refused, too_large, too_slow
from storage.store import Store
from storage.views import shown_by_sqlite

logger = logging.getLogger(__name__)

TRIES: Final = 5
GRACE: Final = 3.0
"""Seconds that the process may need besides: to start, to see that its time is over, to write its answer."""

_PROGRAM: Final = Path(__file__).with_name("asked.py")
_PASSED_ON: Final = ("LD_LIBRARY_PATH", "TMPDIR", "SQLITE_TMPDIR")


class SqliteAnalysts:
    """`storage.analysts.Analysts` on the file `path`, whose catalogue `store` reads."""

    def __init__(self, store: Store, path: Path, bounds: Bounds) -> None:
        self._store = store
        self._path = path
        self._bounds = bounds
        self._answering = Answering(self._answer, subprocess.Popen[bytes].kill)

    def ask(self, question: Question) -> "Future[bytes]":
        return self._answering.ask(question)

    def close(self) -> None:
        self._answering.close()

    def _answer(self, question: Question) -> bytes:
        for _ in range(TRIES):
            said = self._run(msgspec.json.encode(self._asked(question)))
            if not said.startswith(b'{"refused"'):
                return said
            told = msgspec.json.decode(said)
            if told["refused"] != "stale":
                raise self._verdict(told["refused"], told["said"])
        raise Later("datasets of the workspace were changed all the time while it was asked for them")

    def _asked(self, question: Question) -> dict[str, Any]:
        def body(c: Connection) -> list[dict[str, Any]]:
            if not datasets.has_any(c, question.workspace):
                raise nothing_there(question.workspace)
            return [
                {"id": d.id, "version": d.version, "name": d.folded, "shown": shown_by_sqlite(d)}
                for d in datasets.mentioned(c, question.workspace, question.query)
            ]

        return {
            "path": str(self._path),
            "datasets": self._store.read(body).result(),
            "query": question.query,
            "parameters": question.parameters,
            "seconds": self._bounds.seconds,
            "rows": self._bounds.rows,
            "bytes": self._bounds.bytes,
        }

    def _run(self, asked: bytes) -> bytes:
        """Return what the process said; one that does not end in time is killed. Raises: Problem, Later."""
        # no secret of ours is in its environment, and nothing but our own program in its path
        try:
            process = subprocess.Popen(  # noqa: S603 - our own program
                [sys.executable, "-I", "-S", str(_PROGRAM)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,  # what a terminal tells the broker is not for it
                env={name: os.environ[name] for name in _PASSED_ON if name in os.environ},
            )
        except OSError as error:
            raise Later(f"no process can be started for the query: {error}") from error
        with process, self._answering.using(process):
            try:
                said, wrong = process.communicate(asked, self._bounds.seconds + GRACE)
            except subprocess.TimeoutExpired:
                process.kill()
                raise too_slow(self._bounds.seconds) from None
        if self._answering.closed:
            raise Later("the broker stops")
        if process.returncode < 0:
            raise too_large("The process that answered the query was ended by the system.")
        if process.returncode > 0:
            failed = wrong.decode(errors="replace").strip().rpartition("\n")[2][:500]
            logger.error("A query's process failed: %s", failed, extra={"action": "query_failed"})
            raise Later("the process that answers queries failed; the log says why")
        return said

    def _verdict(self, kind: str, said: str) -> Problem | Later:
        match kind:
            case "select":
                return Problem(NOT_A_SELECT, "The query must be one SELECT, which changes nothing.")
            case "slow":
                return too_slow(self._bounds.seconds)
            case "large":
                return too_large(said)
            case "lacking":
                return lacking(msgspec.json.decode(said))
            case "unused":
                return unused(msgspec.json.decode(said))
            case "later":
                return Later(said)
        return refused(said)
