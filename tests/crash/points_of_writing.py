"""Where to die on a write's way: the lane, the log and its files, persist."""

from typing import Final

from tests.crash.point import Point, When
from tests.crash.seen import more_columns, of_file, of_role, of_topic, on_thread, some, unfinished

_CATALOGUE: Final = "streams.catalogue:Catalogue.change"
_LANE: Final = "api.lane.lane:Lane._append"
_SEND: Final = "api.entry.answer:Answer.send"
_LOGGED: Final = "streams.publisher:Publisher._logged"

WRITE: Final = (
    Point("write.admitted", "admitted > catalogue row", _CATALOGUE, "before"),
    Point("write.dataset_row", "catalogue row > table", "storage.tables:create", "before", most=1),
    Point("write.column_row", "catalogue row > table", "storage.tables:widen", "before", more_columns),
    Point("write.table_made", "table > catalogue", "storage.tables:create", most=1),
    Point("write.column_made", "table > catalogue", "storage.tables:widen", only=more_columns),
    Point("write.catalogue", "catalogue > claim row", _CATALOGUE),
    Point("write.unclaimed", "catalogue > claim row", "api.lane.once:Once.claim", "before"),
    Point("write.claim_row", "claim row > claim", "storage.idempotency:claim"),
    Point("write.claimed", "claim > first parts", "api.lane.once:Once.claim"),
    Point("write.cut", "claim > first parts", _LANE, "before"),
    Point("write.first_parts", "first parts > logged", _LOGGED, only=unfinished, most=1),
    Point("write.logged", "logged > stored", _LANE),
    Point("write.stored", "stored > answered", "api.lane.outcome:Outcomes.wait"),
    Point("write.answering", "answered > told", _SEND, "before"),
    Point("write.answered", "answered > told", _SEND),
)

_DISK: Final = "streams.embedded.disk:SystemDisk"
_APPEND: Final = "streams.embedded.chain:Chain.append"
_SETTLE: Final = "streams.embedded.topic:Topic._settle"

LOG: Final = tuple(
    point
    for topic in ("writes", "events")
    for mine in (on_thread(f"log-{topic}"),)
    for point in (
        Point(f"log.{topic}_gathered", "gathered > half written", _APPEND, "before", mine),
        Point(f"log.{topic}_torn", "half written > written", f"{_DISK}.write", "halfway", mine),
        Point(f"log.{topic}_written", "written > synced", f"{_DISK}.sync", "before", mine),
        Point(f"log.{topic}_synced", "synced > acknowledged", f"{_DISK}.sync", "after", mine),
        Point(f"log.{topic}_settling", "synced > acknowledged", _SETTLE, "before", of_topic(topic)),
    )
)

_RENAME: Final = "pathlib:Path.rename"
_UNLINK: Final = "pathlib:Path.unlink"
_TRIMMING: Final[tuple[tuple[str, str, When, str], ...]] = (
    ("chosen", "chosen > index gone", "before", ".idx"),
    ("index_gone", "index gone > segment gone", "after", ".idx"),
    ("segment_gone", "index gone > segment gone", "after", ".seg"),
)
_CHAIN: Final = "streams.embedded.chain"

SEGMENT: Final = (
    Point("segment.drafted", "drafted > placed", _RENAME, "before", of_file(".seg")),
    Point("segment.placed", "placed > known", _RENAME, "after", of_file(".seg")),
    Point("segment.made", "placed > known", f"{_CHAIN}:make_segment"),
    Point("segment.unindexed", "known > index drafted", f"{_CHAIN}:write_index", "before"),
    Point("segment.index_drafted", "index drafted > index placed", _RENAME, "before", of_file(".idx")),
    Point("segment.index_placed", "index drafted > index placed", _RENAME, "after", of_file(".idx")),
)

TRIM: Final = tuple(
    Point(f"trim.{topic}_{what}", gap, _UNLINK, when, of_file(suffix, topic), reached="starting", most=1)
    for topic in ("writes", "events")
    for what, gap, when, suffix in _TRIMMING
)

_PERSIST: Final = "streams.agents.persist"
_TRANSACTION: Final = "streams.agents.transaction"

PERSIST: Final = (
    Point("persist.read", "read > folded", f"{_PERSIST}:Persist._fold", "before"),
    Point("persist.folded", "folded > events", f"{_PERSIST}:Persist._append", "before"),
    Point("persist.events", "events > begun", f"{_PERSIST}:Persist._append"),
    Point("persist.begun", "begun > rows", "storage.offsets:lock", only=of_role("persist")),
    Point("persist.inserted", "rows > outcomes", f"{_TRANSACTION}:insert_rows", only=some(3)),
    Point("persist.updated", "rows > outcomes", f"{_TRANSACTION}:update_rows", only=some(3)),
    Point("persist.aside", "rows > outcomes", "storage.quarantine:keep", only=some(1), most=1),
    Point("persist.outcomes", "outcomes > advanced", f"{_TRANSACTION}:_keep"),
    Point(
        "persist.advanced",
        "advanced > committed",
        "storage.offsets:advance",
        only=of_role("persist"),
        caller="transaction",
    ),
    Point("persist.committed", "committed > receipts", f"{_PERSIST}:committed"),
    Point("persist.told", "receipts > done", "streams.receipts:Receipts.stored"),
)
