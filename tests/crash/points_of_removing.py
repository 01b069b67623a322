"""Where to die while something goes or comes back: deletes, a dataset's end, retention, redrives."""

from typing import Final

from rules.envelope import DatasetEnd, Delete
from tests.crash.point import Point
from tests.crash.seen import appends, barrier, everything_older, third_of_a_delete

_APPEND: Final = "streams.embedded.log:EmbeddedLog.append"
_BARRIER: Final = "api.lane.barrier:append"
_APPLY: Final = "streams.agents.persist:Persist._apply_barrier"
_REMOVE: Final = "storage.removal:remove"

DELETE: Final = (
    Point("delete.claimed", "claimed > some partitions", "api.lane.once:Once.claim", caller="delete", most=1),
    Point(
        "delete.half",
        "some partitions > logged",
        _APPEND,
        "before",
        third_of_a_delete,
        drained=True,
        most=1,
    ),
    Point("delete.logged", "logged > applied", _BARRIER, only=appends("d"), most=1),
    Point("delete.applied", "applied > committed", _REMOVE),
    Point("delete.committed", "committed > answered", _APPLY, only=barrier(Delete)),
    Point("delete.answered", "committed > answered", "api.v1.removing:delete", most=1),
)

END: Final = (
    Point("end.retired", "retired > nameless", "storage.datasets:retire", most=1),
    # persist forgets the dataset too, where its end is applied: nothing is left to catch up with then
    Point("end.nameless", "nameless > logged", "streams.catalogue:Catalogue.forget", caller="end", most=1),
    Point("end.logged", "logged > dropped", _BARRIER, only=appends("e"), most=1),
    Point("end.dropped", "dropped > committed", "storage.datasets:end", most=1),
    Point("end.committed", "committed > answered", _APPLY, only=barrier(DatasetEnd), most=1),
    Point("end.answered", "committed > answered", "api.v1.datasets:end", most=1),
    Point(
        "end.catching_up",
        "nameless > logged",
        "streams.endings:Endings._end",
        reached="starting",
        needs="end.nameless",
        most=1,
    ),
)

_SWEEP: Final = "streams.retention:Retention._delete"

RETENTION: Final = (
    Point("retention.due", "due > logged", _SWEEP, "before", reached="starting", most=1),
    Point("retention.logged", "logged > applied", _SWEEP, reached="starting", most=1),
    Point(
        "retention.applied",
        "applied > committed",
        _REMOVE,
        only=everything_older,
        reached="starting",
        most=1,
    ),
)

REDRIVE: Final = (
    Point("redrive.admitted", "admitted > logged", "api.lane.redrive:append", "before", most=1),
    Point("redrive.logged", "logged > applied", "api.lane.redrive:append", most=1),
    Point("redrive.applied", "applied > committed", "storage.quarantine:drop", most=1),
    Point("redrive.committed", "committed > answered", "api.lane.redrive:_apply", most=1),
    Point("redrive.answered", "committed > answered", "api.v1.quarantine:redrive", most=1),
)
