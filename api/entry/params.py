"""Query parameters: read by name, typed, refused by name; the ones nobody knows are listed, not lost."""

import math
from collections.abc import Sequence
from typing import Final
from urllib.parse import parse_qsl

from rules.errors import BAD_PARAMETER, Problem

_BOOLEANS: Final = {"true": True, "1": True, "false": False, "0": False}
_PAIRS: Final = 200


class Params:
    """The parameters of one request. Of a repeated one the last counts; `repeated` says that there is one."""

    __slots__ = ("_known", "_values", "repeated")

    def __init__(self, query: bytes) -> None:
        self._known = {"token"}
        self._values: dict[str, str] = {}
        self.repeated = False
        if not query:
            return
        try:
            pairs = parse_qsl(query.decode("latin-1"), keep_blank_values=True, max_num_fields=_PAIRS)
        except ValueError as error:
            raise Problem(BAD_PARAMETER, f"The query has more than {_PAIRS} parameters.") from error
        self._values = dict(pairs)
        self.repeated = len(pairs) > len(self._values)

    def text(self, name: str, default: str | None = None) -> str | None:
        """Return a parameter as it is."""
        self._known.add(name)
        return self._values.get(name, default)

    def flag(self, name: str, default: bool) -> bool:
        """Return a boolean: true, false, 1 or 0 in any case."""
        self._known.add(name)
        value = self._values.get(name)
        if value is None:
            return default
        found = _BOOLEANS.get(value.lower())
        if found is None:
            raise Problem(BAD_PARAMETER, f"{name}={value[:40]!r} is none of true, false, 1, 0.")
        return found

    def choice(self, name: str, choices: Sequence[str], default: str) -> str:
        """Return one of a few words, in any case."""
        self._known.add(name)
        value = self._values.get(name, default).lower()
        if value not in choices:
            raise Problem(BAD_PARAMETER, f"{name}={value[:40]!r} is none of {', '.join(choices)}.")
        return value

    def number(self, name: str, default: float, least: float, most: float) -> float:
        """Return a number within bounds."""
        self._known.add(name)
        value = self._values.get(name)
        if value is None:
            return default
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        if not least <= number <= most:
            raise Problem(BAD_PARAMETER, f"{name}={value[:40]!r} is no number from {least:g} to {most:g}.")
        return number

    def whole(self, name: str, default: int, least: int, most: int) -> int:
        """Return a whole number within bounds."""
        self._known.add(name)
        value = self._values.get(name)
        if value is None:
            return default
        if not value.isascii() or not value.isdecimal() or len(value) > 18 or not least <= int(value) <= most:
            raise Problem(BAD_PARAMETER, f"{name}={value[:40]!r} is no whole number from {least} to {most}.")
        return int(value)

    @property
    def ignored(self) -> tuple[tuple[bytes, bytes], ...]:
        """The header that lists the parameters nobody asked for; empty where there are none."""
        if not self._values or self._values.keys() <= self._known:
            return ()
        names = sorted(self._values.keys() - self._known)[:20]
        shown = ", ".join(name[:60].encode("ascii", "backslashreplace").decode() for name in names)
        clean = "".join(char if char.isprintable() else "?" for char in shown)
        return ((b"sluice-ignored", clean.encode()),)

    def everything_but(self, *names: str) -> list[tuple[str, str]]:
        """Return the parameters, sorted, without these: what an Idempotency-Key holds on to."""
        return sorted((n, v) for n, v in self._values.items() if n not in names and n != "token")
