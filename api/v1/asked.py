"""What `GET /v1/data` is asked: its parameters read, and what they mean for one dataset."""

from dataclasses import dataclass
from typing import Any, Final, Literal

from api.described import extra, query
from api.entry.params import Params
from api.v1.render import FORMATS
from api.v1.selection import Address, Span, select_in, span_of
from rules.condition.condition import Condition
from rules.condition.where import read_where
from rules.errors import BAD_PARAMETER, Problem
from rules.limits import Limits
from rules.schema.dataset import Dataset
from rules.schema.ranges import NAMED
from storage.query import Page, shown_fields

OFFSET: Final = 10_000_000
MOST: Final = 10_000
"""Records of one answer."""
_DEFAULT: Final = 100

RANGE: Final = (
    query("from", "From here on: RFC 3339, a date, or milliseconds since 1970."),
    query("to", "Up to here, inclusive; a date alone means its whole day, in UTC."),
    query("on", "A day in UTC: YYYY-MM-DD."),
    query(
        "range",
        f"A range by name, of whole days in UTC: {NAMED}, H12026 or 2026. What counts back (7d, ytd) ends "
        "with today.",
    ),
)
WHERE: Final = query(
    "where",
    "A condition in the language of rules: `price > 10 && symbol in ['A', 'B']`. A record for which it has "
    "no result (a null that is compared) is not meant.",
)
QUERY: Final = extra(
    query("last", "The newest n records.", "integer", minimum=1, maximum=MOST),
    query("first", "The oldest n records, oldest first.", "integer", minimum=1, maximum=MOST),
    query(
        "limit",
        "How many records a page has: 1 with a key and neither range nor where, else 100. Of several keys or "
        "datasets each has its own page.",
        "integer",
        minimum=1,
        maximum=MOST,
    ),
    query("offset", "How many records to pass over first.", "integer", minimum=0, maximum=OFFSET, default=0),
    *RANGE,
    WHERE,
    query("sort", "desc: newest first. asc: oldest first.", enum=["desc", "asc"]),
    query("filter", "The columns to show, with commas between; all unless given."),
    query(
        "format", "How records come; of several keys or datasets json.", enum=list(FORMATS), default="json"
    ),
)


@dataclass(frozen=True, slots=True)
class Asked:
    """What the query parameters ask for, before the dataset is known. `sort` is how records are shown."""

    last: int | None
    first: int | None
    limit: int | None
    offset: int
    span: Span
    where: str | None
    sort: Literal["asc", "desc"]
    fields: tuple[str, ...]
    format: str

    @property
    def oldest(self) -> bool:
        """Whether the oldest records are the ones meant."""
        return self.first is not None or (self.last is None and self.sort == "asc")

    @property
    def turned(self) -> bool:
        """Whether they are shown the other way round than they are found."""
        return self.oldest != (self.sort == "asc")

    def count(self, address: Address) -> int:
        """Return how many records a page has."""
        narrow = bool(address.keys) and not self.span.given and self.where is None
        given = (count for count in (self.last, self.first, self.limit) if count is not None)
        return next(given, 1 if narrow else _DEFAULT)


def read_asked(params: Params, address: Address, now: int) -> Asked:
    """Read the query parameters at `now` (ns since 1970).

    Raises: Problem(bad_parameter).
    """
    counts = {name: _count(params, name) for name in ("last", "first", "limit")}
    given = [name for name, value in counts.items() if value is not None]
    if len(given) > 1:
        raise Problem(BAD_PARAMETER, f"{' and '.join(given)} say the same thing twice; keep one.")
    shown = params.text("filter") or ""
    sort = params.choice("sort", ("asc", "desc"), "desc" if counts["first"] is None else "asc")
    asked = Asked(
        **counts,
        offset=params.whole("offset", 0, 0, OFFSET),
        span=span_of(params, now),
        where=params.text("where"),
        sort="asc" if sort == "asc" else "desc",
        fields=tuple(dict.fromkeys(name for name in shown.split(",") if name)),
        format=params.choice("format", FORMATS, "json"),
    )
    if not address.several:
        return asked
    if asked.format != "json":
        raise Problem(BAD_PARAMETER, f"format={asked.format!r} has no form for several keys or datasets.")
    pages = len(address.datasets) * max(1, len(address.keys))
    if pages * asked.count(address) > MOST:
        raise Problem(
            BAD_PARAMETER,
            f"{pages} pages of {asked.count(address)} records are more than {MOST} records; ask for fewer by "
            "limit, or for fewer keys and datasets.",
        )
    return asked


def pages_of(dataset: Dataset, address: Address, asked: Asked, limits: Limits) -> list[Page]:
    """Return the page of each key, or the one of the dataset.

    Raises: Problem(bad_parameter), naming what does not fit the dataset.
    """
    where = None if asked.where is None else condition_of(asked.where, dataset, limits)
    chosen = select_in(dataset, address.keys, asked.span)
    return [
        Page(
            limit=asked.count(address),
            offset=asked.offset,
            key=tuple(key),
            begin=chosen.begin,
            end=chosen.end,
            oldest_first=asked.oldest,
            where=where,
        )
        for key in chosen.keys or [[]]
    ]


def condition_of(source: str, dataset: Dataset, limits: Limits) -> Condition:
    """Return the condition that `where` says.

    Raises: Problem(bad_parameter).
    """
    try:
        return read_where(source, dataset, limits)
    except ValueError as error:
        raise Problem(BAD_PARAMETER, f"where, asked of {dataset.name!r}: {error}") from error


def fields_of(dataset: Dataset, wanted: tuple[str, ...]) -> list[str]:
    """Return the fields to show.

    Raises: Problem(bad_parameter) where the dataset has no such column.
    """
    known = shown_fields(dataset)
    for name in wanted:
        if name not in known:
            raise Problem(
                BAD_PARAMETER, f"filter names {name[:60]!r}, which {dataset.name!r} has no column for."
            )
    return list(wanted) or known


def _count(params: Params, name: str) -> Any:
    return None if params.text(name) is None else params.whole(name, 1, 1, MOST)
