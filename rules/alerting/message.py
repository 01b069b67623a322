"""What an alert says: templates such as `{{ station }} at {{ temp }}`, read once and rendered many times.

A place between braces holds `rule`, `severity`, `key.column`, or a path into the record: `temp`, `a.b`,
`a[0]`, `a["odd name"]`, or a name between backticks. `event` is the whole record, so `event.rule` is a column
that happens to be called `rule`. There are no filters and no blocks.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from rules.alerting.fields import or_nearest

MAX_RENDERED: Final = 4 * 1024
"""Bytes of UTF-8 that a message may have; a longer one is cut and ends in an ellipsis."""

MAX_STEPS: Final = 32

Step = str | int

_STEP = re.compile(
    r"""(?P<dot>\.)?(?:(?P<name>[^\W\d]\w*)|`(?P<quoted>[^`]+)`)
      | \[ (?: (?P<place>\d{1,6}) | "(?P<double>[^"\\]+)" | '(?P<single>[^'\\]+)' ) \]""",
    re.VERBOSE,
)
_WORDS: Final = frozenset({"rule", "severity"})


class TemplateError(ValueError):
    """A template that can't be read. `at` is the place as an offset from 0; the sentence counts from 1."""

    def __init__(self, message: str, at: int) -> None:
        super().__init__(message)
        self.at = at


@dataclass(frozen=True, slots=True)
class Slot:
    """A place that is filled: `source` says from where, `steps` lead into it."""

    source: str
    steps: tuple[Step, ...]
    at: int


@dataclass(frozen=True, slots=True)
class Template:
    """A message in pieces: texts, and the slots between them."""

    pieces: tuple[str | Slot, ...]

    @property
    def fields(self) -> Mapping[str, int]:
        """The columns it names, each with the offset of the place that names it first."""
        slots = [one for one in self.pieces if isinstance(one, Slot) and one.source == "event" and one.steps]
        return {str(slot.steps[0]): slot.at for slot in reversed(slots)}

    def render(self, rule: str, severity: str, key: Mapping[str, Any], event: Mapping[str, Any]) -> str:
        """Return the message: texts bare, everything else as compact JSON, what is not there as `null`."""
        sources = {"rule": rule, "severity": severity, "key": key, "event": event}
        return cut(
            "".join(
                piece if isinstance(piece, str) else shown(_reach(sources[piece.source], piece.steps))
                for piece in self.pieces
            )
        )


def read_template(text: str, key: tuple[str, ...]) -> Template:
    """Return `text` in pieces; `key` are the rule's key columns, which `{{ key.column }}` may name.

    Raises: TemplateError, which says what is not understood, where, and what is.
    """
    pieces: list[str | Slot] = []
    end = 0
    while (begin := text.find("{{", end)) >= 0:
        close = text.find("}}", begin)
        if close < 0:
            raise TemplateError(f"the '{{{{' at character {begin + 1} is not closed by '}}}}'.", begin)
        if begin > end:
            pieces.append(text[end:begin])
        pieces.append(_slot(text[begin + 2 : close], begin, key))
        end = close + 2
    if end < len(text):
        pieces.append(text[end:])
    if (at := text.find("{%")) >= 0:
        raise TemplateError(
            f"'{{%' at character {at + 1}: messages have no blocks, only places such as {{{{ a }}}}.", at
        )
    return Template(tuple(pieces))


def shown(value: Any) -> str:
    """Return a value as a message shows it: a text as it is, anything else as compact JSON."""
    if isinstance(value, str):
        return value[:MAX_RENDERED]
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))[:MAX_RENDERED]


def cut(text: str, most: int = MAX_RENDERED) -> str:
    """Return `text`, cut to at most `most` bytes of UTF-8 with an ellipsis where it was longer."""
    if 4 * len(text) <= most:
        return text
    raw = text.encode("utf-8", "replace")
    if len(raw) <= most:
        return text
    return raw[: most - 3].decode("utf-8", "ignore") + "…"


def _slot(inner: str, at: int, key: tuple[str, ...]) -> Slot:
    steps = _steps(inner, at)
    first, rest = steps[0], steps[1:]
    if first == "event":
        return Slot("event", rest, at)
    if first in _WORDS:
        if rest:
            raise TemplateError(
                f"'{_brief(inner)}' at character {at + 1}: {first} is a text and has no parts; "
                f"a column of that name is event.{first}.",
                at,
            )
        return Slot(str(first), (), at)
    if first != "key" or (not rest and not key):
        return Slot("event", steps, at)
    if rest and rest[0] not in key:
        raise TemplateError(
            f"'{_brief(inner)}' at character {at + 1}: the rule's key has no {str(rest[0])!r} "
            f"(a column of the record that is called key is event.key){or_nearest(str(rest[0]), key)}",
            at,
        )
    return Slot("key", rest, at)


def _steps(inner: str, at: int) -> tuple[Step, ...]:
    steps: list[Step] = []
    path, end = inner.strip(), 0
    while end < len(path) and len(steps) < MAX_STEPS:
        match = _STEP.match(path, end)
        if match is None:
            break
        name = match["name"] or match["quoted"]
        # A path begins with a name, and a later one stands behind a dot.
        if (name is None and end == 0) or (name is not None and (match["dot"] is None) != (end == 0)):
            break
        steps.append(name or match["double"] or match["single"] or int(match["place"]))
        end = match.end()
    if not steps or end < len(path):
        raise TemplateError(
            f"'{{{{{_brief(inner)}}}}}' at character {at + 1} is not understood; between the braces stands a "
            'column, a path such as a.b, a[0] or a["odd name"], key.column, rule, severity or event.',
            at,
        )
    return tuple(steps)


def _reach(value: Any, steps: tuple[Step, ...]) -> Any:
    for step in steps:
        if isinstance(value, Mapping) and isinstance(step, str):
            value = value.get(step)
        elif isinstance(value, list) and isinstance(step, int) and step < len(value):
            value = value[step]
        else:
            return None
    return value


def _brief(inner: str) -> str:
    return inner if len(inner) <= 60 else inner[:60] + "…"
