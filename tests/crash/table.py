"""The table of points: what a kill between any two steps of the road must not lose, double or invent."""

from typing import Final

from tests.crash.point import Point
from tests.crash.points_of_alerting import COURIER, JUDGE, RULE
from tests.crash.points_of_living import START, STOP
from tests.crash.points_of_loading import LOAD
from tests.crash.points_of_removing import DELETE, END, REDRIVE, RETENTION
from tests.crash.points_of_writing import LOG, PERSIST, SEGMENT, TRIM, WRITE

ROADS: Final[dict[str, tuple[str, ...]]] = {
    "write": (
        *("admitted", "catalogue row", "table", "catalogue", "claim row", "claim", "first parts"),
        *("logged", "stored", "answered", "told"),
    ),
    "log": ("gathered", "half written", "written", "synced", "acknowledged"),
    "segment": ("drafted", "placed", "known", "index drafted", "index placed"),
    "trim": ("chosen", "index gone", "segment gone"),
    "persist": (
        *("read", "folded", "events", "begun", "rows", "outcomes", "advanced", "committed"),
        *("receipts", "done"),
    ),
    "judge": (
        *("read", "gate", "begun", "instances", "alerts", "deliveries", "rules", "advanced", "committed"),
        *("woken", "done"),
    ),
    "courier": ("due", "claimed", "sent", "heard", "settled row", "settled"),
    "rule": ("row", "committed", "some partitions", "all partitions", "noted", "answered"),
    "delete": ("claimed", "some partitions", "logged", "applied", "committed", "answered"),
    "end": ("retired", "nameless", "logged", "dropped", "committed", "answered"),
    "redrive": ("admitted", "logged", "applied", "committed", "answered"),
    "load": (
        *("taken", "chunk", "durable", "job row", "job", "claimed", "validated", "block cut"),
        *("block logged", "block stored", "counted row", "counted", "ended", "told"),
    ),
    "retention": ("due", "logged", "applied", "committed"),
    "start": (
        *("token drafted", "token", "locked", "identity drafted", "identity", "topics", "database", "tables"),
        *("migrated", "introduced", "met", "some claims", "claims", "door"),
    ),
    "stop": ("asked", "door closed", "agents ended", "log closed"),
}
"""The steps of each road, in order. A test demands a point between any two that are neighbours."""

POINTS: Final[tuple[Point, ...]] = (
    *START,
    *WRITE,
    *LOG,
    *SEGMENT,
    *TRIM,
    *PERSIST,
    *JUDGE,
    *COURIER,
    *RULE,
    *DELETE,
    *END,
    *REDRIVE,
    *RETENTION,
    *LOAD,
    *STOP,
)
BY_NAME: Final = {point.name: point for point in POINTS}
