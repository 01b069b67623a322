"""The face of what answers analysts: one SELECT, by means that see one workspace and change nothing."""

from concurrent.futures import Future
from typing import Final, Protocol

from rules.errors import BAD_QUERY, DATASET_NOT_FOUND, QUERY_TOO_LARGE, QUERY_TOO_SLOW, Problem
from rules.question import Question

AT_ONCE: Final = 2
"""Questions that are answered at once by one process."""


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
