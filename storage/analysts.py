"""The face of what answers analysts: one SELECT, by means that see one workspace and change nothing."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Final, Generic, Protocol, TypeVar

from rules.errors import BAD_QUERY, DATASET_NOT_FOUND, QUERY_TOO_LARGE, QUERY_TOO_SLOW, Problem
from rules.question import Question

AT_ONCE: Final = 2
"""Questions that are answered at once by one process."""

Means = TypeVar("Means")


class Analysts(Protocol):
    """Answers questions, each by means of the database's own that bound what it sees and what it costs."""

    def ask(self, question: Question) -> "Future[bytes]":
        """Answer with the JSON object `{"columns": […], "rows": [[…]], "truncated": bool}`.

        The future fails with `Problem` (dataset_not_found, bad_query, not_a_select, bad_parameter,
        query_too_large, query_too_slow, sql_unavailable) or with `Later`.
        """
        ...

    def close(self) -> None:
        """End what is being answered. Safe to call twice."""
        ...


class Answering(Generic[Means]):
    """Threads that answer questions, each by means (a process, a connection) that a stop ends by `end`."""

    def __init__(self, answer: Callable[[Question], bytes], end: Callable[[Means], object]) -> None:
        self._answer = answer
        self._end = end
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="analysts")
        self._used: set[Means] = set()
        self._lock = threading.Lock()
        self.closed = False

    def ask(self, question: Question) -> "Future[bytes]":
        """Answer on a thread, once one is free."""
        return self._threads.submit(self._answer, question)

    @contextmanager
    def using(self, means: Means) -> Iterator[None]:
        """Have the stop end these while the context lasts; at once, where it was before."""
        with self._lock:
            self._used.add(means)
            if self.closed:
                self._end(means)
        try:
            yield
        finally:
            with self._lock:
                self._used.discard(means)

    def close(self) -> None:
        """End all means and wait for the threads."""
        with self._lock:
            self.closed = True
            for means in self._used:
                self._end(means)
        self._threads.shutdown(cancel_futures=True)


def nothing_there(workspace: str) -> Problem:
    """Return the refusal of any query over a workspace without datasets."""
    return Problem(DATASET_NOT_FOUND, f"There are no datasets in {workspace[:64]!r} to ask about.")


def refused(said: str) -> Problem:
    """Return the refusal of a query, in the database's words."""
    return Problem(BAD_QUERY, f"The database refuses the query: {said[:500].rstrip('.')}.")


def too_large(what: str) -> Problem:
    """Return the refusal of a query that takes more than one may."""
    return Problem(QUERY_TOO_LARGE, f"{what} Ask for fewer or shorter values, or in several queries.")


def too_slow(seconds: float) -> Problem:
    """Return the refusal of a query that takes longer than one may."""
    return Problem(
        QUERY_TOO_SLOW,
        f"The query took longer than {seconds:g} s; select fewer records, or join fewer of them.",
    )
