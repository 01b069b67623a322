"""What the parameters of InfluxDB's write endpoints ask for: whose bucket, which unit of time, options."""

import re
from collections.abc import Callable, Iterable, Mapping
from hashlib import blake2b
from typing import Final

from api.entry.params import Params
from api.influx.point import AUTO
from api.lane.door import Options
from rules.envelope import Handling
from rules.errors import BAD_PARAMETER, NOT_FOUND, Problem
from rules.names import DEFAULT_WORKSPACE, fold, mapped_workspace
from rules.token import Token

V2_UNITS: Final = {"ns": 1, "us": 10**3, "ms": 10**6, "s": 10**9}
V1_UNITS: Final = {**V2_UNITS, "n": 1, "u": 10**3, "µ": 10**3, "m": 60 * 10**9, "h": 3600 * 10**9}
V3_UNITS: Final = {
    **V1_UNITS,
    "nanosecond": 1,
    "microsecond": 10**3,
    "millisecond": 10**6,
    "second": 10**9,
    "auto": AUTO,
}
_ID: Final = re.compile("[0-9a-f]{16}")
PARAMETERS: Final = (
    *("org", "orgID", "bucket", "db", "rp", "precision", "u", "p", "consistency", "no_sync"),
    *("accept_partial", "wait", "event", "persist", "timeout"),
)
"""What is taken, some of it only to be taken; whatever else a caller sends is named as ignored."""


def unit_asked(params: Params, units: Mapping[str, int]) -> int:
    """Return the nanoseconds of the timestamps' unit, `AUTO` to tell by their size.

    Raises: Problem(bad_parameter), in InfluxDB's words.
    """
    given = params.text("precision") or "ns"
    unit = units.get(given)
    if unit is None:
        known = [name for name in units if name not in ("µ",)]
        listed = f"{', '.join(known[:-1])}, and {known[-1]}"
        raise Problem(BAD_PARAMETER, f"invalid precision; valid precision units are {listed}")
    return unit


def options_asked(params: Params, *, partial: bool) -> Options:
    """Return how the points are to be written. `partial` is the setting: what holds unless asked otherwise.

    Raises: Problem(bad_parameter).
    """
    options = Options(
        wait=params.flag("wait", False),
        event=params.flag("event", True),
        persist=params.flag("persist", True),
        handling=Handling.MERGE,
        atomic=not (params.flag("accept_partial", True) and partial),
        timeout=params.number("timeout", 10.0, 0.1, 60.0),
    )
    if not options.event and not options.persist:
        raise Problem(BAD_PARAMETER, "event=false and persist=false together would do nothing")
    return options


def organization_asked(params: Params, token: Token, workspaces: Callable[[], Iterable[str]]) -> str:
    """Return the workspace that `org` or `orgID` names: a name or an id; without, the token's own.

    `workspaces` says whose ids are known, and is asked only where it may be an id.
    Raises: Problem(bad_parameter, not_found).
    """
    given = params.text("org") or params.text("orgID")
    if not given:
        if token.workspace is None:
            raise Problem(BAD_PARAMETER, "please provide either orgID or org")
        return token.workspace
    if token.workspace is not None:
        own = fold(token.workspace)
        if own in (fold(given), fold(mapped_workspace(given))) or given == identifier(token.workspace):
            return token.workspace
        raise Problem(NOT_FOUND, f'organization name "{given[:100]}" not found')
    if _ID.fullmatch(given):
        return next((name for name in workspaces() if identifier(name) == given), given)
    return mapped_workspace(given)


def own_workspace(token: Token) -> str:
    """Return the workspace of a caller who has no way to name one."""
    return DEFAULT_WORKSPACE if token.workspace is None else token.workspace


def bucket_asked(given: str | None, buckets: Callable[[], Iterable[str]]) -> str:
    """Return a bucket's name: `given` is that, or the id of one of `buckets`, asked only where it may be.

    Raises: Problem(not_found).
    """
    if not given:
        raise Problem(NOT_FOUND, "bucket not found")
    if _ID.fullmatch(given):
        return next((name for name in buckets() if identifier(name, "bucket") == given), given)
    return given


def identifier(name: str, kind: str = "org") -> str:
    """Return the id under which a workspace or a bucket is shown: 16 hex digits, as InfluxDB's are."""
    text = fold(name) if kind == "org" else name
    return blake2b(f"{kind}/{text}".encode("utf-8", "replace"), digest_size=8).hexdigest()
