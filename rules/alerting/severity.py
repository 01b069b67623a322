"""How bad it is: the words for it, and the four they are kept under."""

from collections.abc import Mapping
from typing import Final, Literal

from rules.alerting.fields import kind
from rules.errors import Code, Problem

Severity = Literal["info", "warning", "error", "critical"]

SEVERITIES: Final[Mapping[str, Severity]] = {
    "info": "info",
    "warning": "warning",
    "warn": "warning",
    "error": "error",
    "critical": "critical",
    "crit": "critical",
}
"""Every word for a severity, and the one it is kept under."""


def read_severity(word: object, code: Code) -> Severity:
    """Return the severity that `word`, in any case, stands for.

    Raises: Problem(code).
    """
    found = SEVERITIES.get(word.lower()) if isinstance(word, str) else None
    if found is None:
        shown = f"'{word[:40]}'" if isinstance(word, str) else kind(word)
        raise Problem(code, f"A severity is one of info, warning, error and critical, not {shown}.")
    return found
