"""What the path of `/v1/data` and its range select: a dataset, values of its key, a span of time."""

from typing import Final, NamedTuple
from urllib.parse import unquote

from fastapi import Request

from api.entry.params import Params
from api.lane.barrier import Chosen
from rules.errors import BAD_PARAMETER, BAD_REQUEST, NOT_FOUND, Problem
from rules.schema.dataset import ColumnType, Dataset
from rules.schema.moments import MAX_MOMENT, MIN_MOMENT, parse_date, parse_moment, parse_time
from rules.schema.stored import key_values

_DAY: Final = 86_400 * 10**9
_SEGMENTS: Final = 4


class Address(NamedTuple):
    """The path as it was sent, each segment decoded by itself, so that a key may hold a slash (%2F)."""

    workspace: str
    dataset: str
    keys: tuple[str, ...]
    raw: str


class Span(NamedTuple):
    """A range of time as it was sent; None where an end is open."""

    begin: str | None
    end: str | None

    @property
    def given(self) -> bool:
        """Whether either end was named."""
        return self != (None, None)


def address_of(request: Request) -> Address:
    """Return what the path names.

    Raises: Problem(bad_request) where it is no UTF-8 or a key in it is empty, not_found.
    """
    raw: bytes = request.scope.get("raw_path") or request.scope["path"].encode()
    try:
        segments = [unquote(part, errors="strict") for part in raw.decode("ascii").split("/")[3:]]
    except UnicodeDecodeError as error:
        raise Problem(BAD_REQUEST, "The path is not valid UTF-8, percent-encoded.") from error
    if not 2 <= len(segments) <= _SEGMENTS:
        raise Problem(NOT_FOUND, "Ask for /v1/data/WORKSPACE/DATASET[/KEY[/SUBKEY]].")
    workspace, dataset, *keys = segments
    if "" in keys:
        raise Problem(BAD_REQUEST, "A key in the path is empty; leave the slash out, or name a key.")
    return Address(workspace, dataset, tuple(keys), raw.decode("ascii"))


def span_of(params: Params) -> Span:
    """Return the range that `from` and `to` name."""
    return Span(params.text("from"), params.text("to"))


def select_in(dataset: Dataset, keys: tuple[str, ...], span: Span) -> Chosen:
    """Return what a path and a range select in a dataset.

    Both ends belong to the range, and `to=2024-01-31` means that whole day (in UTC). Against a date column
    without a time of day, a moment counts by its day.

    Raises: Problem(bad_parameter), naming what can't be read.
    """
    values = _key(dataset, keys)
    begin = None if span.begin is None else _moment("from", span.begin)
    last = None if span.end is None else _last("to", span.end)
    if dataset.date is not None and dataset.by_name[dataset.date].type is ColumnType.DATE:
        begin = None if begin is None else max(MIN_MOMENT, begin // _DAY * _DAY)
        return Chosen(values, begin, None if last is None else _end_of_day(last))
    return Chosen(values, begin, None if last is None or last == MAX_MOMENT else last + 1)


def _key(dataset: Dataset, keys: tuple[str, ...]) -> list[object]:
    if not keys:
        return []
    if not dataset.key:
        raise Problem(BAD_PARAMETER, f"The dataset {dataset.name!r} has no key; ask by from and to instead.")
    if dataset.measured:
        raise Problem(
            BAD_PARAMETER,
            f"The key of {dataset.name!r} is the time and the tags of a point, which a path can't name; ask "
            "by from and to instead.",
        )
    mapped = [name for name in dataset.key if name not in (dataset.subkey, dataset.date)]
    if len(mapped) > 1:
        raise Problem(
            BAD_PARAMETER,
            f"The key of {dataset.name!r} has the columns {', '.join(mapped)[:200]}: a path can't name "
            "several, and asking by where comes later.",
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
