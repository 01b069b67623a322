"""What the demo replays, the rules it sets on it, and how many alerts those must raise.

The records are real: hourly temperatures of Seattle and San Francisco over 2010, and four years of
Seattle's days, from NOAA, as the package vega_datasets ships them. Its files are read where they lie; the
package itself, which brings pandas, is not imported.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from csv import DictReader
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from rules.envelope import Record

HOURS: Final = "temperatures"
DAYS: Final = "days"

_AHEAD: Final = timedelta(hours=8)
"""UTC less the local standard time in which both cities' hours are given."""


class NoDataError(Exception):
    """The data set is not on this machine."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A record and the dataset it belongs to."""

    dataset: str
    record: Record

    @property
    def place(self) -> str:
        """What tells it from every other: city and time."""
        return place_of(self.record)


@dataclass(frozen=True, slots=True)
class DemoRule:
    """A rule as the API takes it, and the same condition in plain Python, to know what must come of it."""

    declared: Mapping[str, Any]
    matches: Callable[[Record], bool]

    @property
    def id(self) -> str:
        """Its id."""
        return str(self.declared["id"])

    def alerts(self, readings: Iterable[Reading]) -> int:
        """Return how many alerts it must raise: one a match, with a cooldown one a value of its key.

        Its cooldown is longer than any replay takes.
        """
        hits = [r.record for r in readings if r.dataset == self.declared["on"] and self.matches(r.record)]
        if "cooldown" not in self.declared:
            return len(hits)
        return len({tuple(record[column] for column in self.declared["key"]) for record in hits})


RULES: Final = (
    DemoRule(
        {
            "id": "heat",
            "on": HOURS,
            "where": "temp > 70",
            "severity": "warning",
            "message": "{{ city }} had {{ temp }} °F at {{ at }}",
        },
        lambda record: record["temp"] > 70,
    ),
    DemoRule(
        {
            "id": "gale",
            "on": DAYS,
            "where": 'wind > 5 && weather in ["rain", "snow", "drizzle", "fog"]',
            "key": ["weather"],
            "cooldown": "1h",
            "severity": "critical",
            "message": "{{ weather }} and wind of {{ wind }} m/s on {{ at }}",
        },
        lambda record: record["wind"] > 5 and record["weather"] in ("rain", "snow", "drizzle", "fog"),
    ),
)


def place_of(record: Mapping[str, Any]) -> str:
    """Return what tells a record from every other: city and time."""
    return f"{record['city']} {record['at']}"


def load_readings(most: int) -> list[Reading]:
    """Return the data set in the order of time, thinned evenly where it has more than `most` records.

    Raises: NoDataError.
    """
    folder = _folder()
    readings = [
        *_hours(folder / "seattle-temps.csv", "Seattle", "%Y/%m/%d %H:%M"),
        *_hours(folder / "sf-temps.csv", "San Francisco", "%Y/%m/%d %H:%M:%S"),
        *_days(folder / "seattle-weather.csv", "Seattle"),
    ]
    readings.sort(key=lambda reading: str(reading.record["at"]))
    kept = min(most, len(readings))
    return [readings[number * len(readings) // kept] for number in range(kept)]


def _folder() -> Path:
    found = find_spec("vega_datasets")
    if found is None or found.origin is None:
        raise NoDataError(
            "The demo replays a data set of the package vega_datasets, which is not installed: run "
            "'make install', or install sluice[demo]."
        )
    return Path(found.origin).parent / "_data"


def _rows(path: Path) -> Iterator[dict[str, str]]:
    try:
        with path.open(newline="") as file:
            yield from DictReader(file)
    except OSError as error:
        raise NoDataError(f"{path} can't be read: {error.strerror}. Install vega_datasets anew.") from error


def _hours(path: Path, city: str, form: str) -> Iterator[Reading]:
    for row in _rows(path):
        at = datetime.strptime(row["date"], form) + _AHEAD
        yield Reading(HOURS, {"city": city, "at": f"{at:%Y-%m-%dT%H:%M:%SZ}", "temp": float(row["temp"])})


def _days(path: Path, city: str) -> Iterator[Reading]:
    for row in _rows(path):
        record: Record = {"city": city, "at": row["date"].replace("/", "-"), "weather": row["weather"]}
        for name in ("precipitation", "temp_max", "temp_min", "wind"):
            record[name] = float(row[name])
        yield Reading(DAYS, record)
