"""What the path of `/v1/data` and its range select: datasets, values of their keys, a span of time."""

from typing import Final, NamedTuple
from urllib.parse import unquote

from fastapi import Request

from api.entry.params import Params
from api.lane.barrier import Chosen
from rules.errors import BAD_PARAMETER, BAD_REQUEST, NOT_FOUND, Problem
from rules.names import fold
from rules.schema.dataset import ColumnType, Dataset
from rules.schema.moments import MAX_MOMENT, MIN_MOMENT, parse_date, parse_moment, parse_time
from rules.schema.ranges import day_of, read_range
from rules.schema.stored import key_values

_DAY: Final = 86_400 * 10**9
_SEGMENTS: Final = 4

SELECTIONS: Final = 2_000
"""How many datasets times keys one path may name, as it was in Apperate."""


class Address(NamedTuple):
    """The path as it was sent, each name decoded by itself, so that a key may hold a slash or a comma.

    `datasets` differ in more than case. `keys` are as many as were named, each alone or with the subkey; none
    where no key was. `several` says that a comma stood between datasets or keys.
    """

    workspace: str
    datasets: tuple[str, ...]
    keys: tuple[tuple[str, ...], ...]
    several: bool
    raw: str


class Span(NamedTuple):
    """A range of time: its ends as they were sent, None where one is open, or named days in ns."""

    begin: str | None
    end: str | None
    days: tuple[int, int] | None = None

    @property
    def given(self) -> bool:
        """Whether there is one."""
        return self != (None, None, None)


def address_of(request: Request) -> Address:
    """Return what the path names.

    Raises: Problem: bad_request where it is no UTF-8 or a name in it is empty, bad_parameter where it names
    too much, not_found.
    """
    raw: bytes = request.scope.get("raw_path") or request.scope["path"].encode()
    try:
        segments = raw.decode("ascii").split("/")[3:]
        if not 2 <= len(segments) <= _SEGMENTS:
            raise Problem(NOT_FOUND, "Ask for /v1/data/WORKSPACE/DATASET[/KEY[/SUBKEY]].")
        workspace = unquote(segments[0], errors="strict")
        datasets = _names(segments[1])
        keys = _names(segments[2]) if len(segments) > 2 else []
        subkey = [unquote(one, errors="strict") for one in segments[3:]]
    except UnicodeDecodeError as error:
        raise Problem(BAD_REQUEST, "The path is not valid UTF-8, percent-encoded.") from error
    if "" in (*keys, *subkey) or (len(datasets) > 1 and "" in datasets):
        raise Problem(BAD_REQUEST, "A name in the path is empty; leave the slash or comma out, or name it.")
    if len(datasets) * max(1, len(keys)) > SELECTIONS:
        raise Problem(
            BAD_PARAMETER,
            f"The path names {len(datasets)} datasets and {len(keys)} keys; {SELECTIONS} may be asked for at "
            "once, one times the other.",
        )
    paths = tuple((key, *subkey) for key in dict.fromkeys(keys))
    several = any("," in segment for segment in segments[1:3])
    first = {fold(name): name for name in reversed(datasets)}  # as each was spelled first
    named = tuple(dict.fromkeys(first[fold(name)] for name in datasets))
    return Address(workspace, named, paths, several, raw.decode("ascii"))


def _names(segment: str) -> list[str]:
    """Return the names between commas; a comma that belongs to one is sent as %2C."""
    return [unquote(part, errors="strict") for part in segment.split(",")]


def span_of(params: Params, now: int) -> Span:
    """Return the range that `from` and `to`, `on` or `range` name at `now` (ns since 1970).

    Raises: Problem(bad_parameter) where more than one way is used, or a name can't be read.
    """
    ends = (params.text("from"), params.text("to"))
    named = {name: text for name in ("on", "range") if (text := params.text(name)) is not None}
    if len(named) == 2 or (named and ends != (None, None)):
        raise Problem(BAD_PARAMETER, "Say when by from and to, or by on, or by range; not by two of them.")
    if not named:
        return Span(*ends)
    ((name, text),) = named.items()
    try:
        return Span(None, None, day_of(text) if name == "on" else read_range(text, now))
    except ValueError as error:
        raise Problem(BAD_PARAMETER, f"{name} can't be read: {error}") from error


def select_in(dataset: Dataset, keys: tuple[tuple[str, ...], ...], span: Span) -> Chosen:
    """Return what keys and a range select in a dataset.

    Both ends belong to the range, and `to=2024-01-31` means that whole day (in UTC). Against a date column
    without a time of day, a moment counts by its day.

    Raises: Problem(bad_parameter), naming what can't be read.
    """
    values = [_key(dataset, key) for key in keys]
    if span.days is not None:
        begin: int | None = span.days[0]
        last: int | None = span.days[1] - 1
    else:
        begin = None if span.begin is None else _moment("from", span.begin)
        last = None if span.end is None else _last("to", span.end)
    if dataset.date is not None and dataset.by_name[dataset.date].type is ColumnType.DATE:
        begin = None if begin is None else max(MIN_MOMENT, begin // _DAY * _DAY)
        return Chosen(values, begin, None if last is None else _end_of_day(last))
    return Chosen(values, begin, None if last is None or last == MAX_MOMENT else last + 1)


def _key(dataset: Dataset, keys: tuple[str, ...]) -> list[object]:
    if not dataset.key:
        raise Problem(BAD_PARAMETER, f"The dataset {dataset.name!r} has no key; ask by where instead.")
    if dataset.measured:
        raise Problem(
            BAD_PARAMETER,
            f"The key of {dataset.name!r} is the time and the tags of a point, which a path can't name; ask "
            "by where instead.",
        )
    mapped = [name for name in dataset.key if name not in (dataset.subkey, dataset.date)]
    if len(mapped) > 1:
        raise Problem(
            BAD_PARAMETER,
            f"The key of {dataset.name!r} has the columns {', '.join(mapped)[:200]}: a path can't name "
            f"several; ask by where instead: where={mapped[0]} == … && {mapped[1]} == …",
        )
    if len(keys) > 1 and dataset.subkey not in dataset.key[1:2]:
        raise Problem(
            BAD_PARAMETER, f"The dataset {dataset.name!r} has no subkey; leave {keys[1][:60]!r} out."
        )
    try:
        return key_values(dataset, keys)
    except ValueError as error:
        raise Problem(BAD_PARAMETER, f"The key in the path can't be taken: {error}.") from error


def _moment(name: str, text: str) -> int:
    try:
        return parse_time(text)
    except ValueError as error:
        raise Problem(BAD_PARAMETER, f"{name} can't be read: {error}") from error


def _last(name: str, text: str) -> int:
    """Return the last instant that `text` stands for: of a date alone, that of its day."""
    try:
        parse_date(text)
    except ValueError:
        return _moment(name, text)
    try:
        return _end_of_day(parse_moment(text))
    except ValueError as error:
        raise Problem(BAD_PARAMETER, f"{name} can't be read: {error}") from error


def _end_of_day(moment: int) -> int:
    return min(moment // _DAY * _DAY + _DAY - 1, MAX_MOMENT)
