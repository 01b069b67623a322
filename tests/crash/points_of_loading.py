"""Where to die on a batch load's way: its bytes, its job, its blocks, its end."""

from typing import Final

from tests.crash.point import Point

_UPLOAD: Final = "api.batch.upload:Upload"
_INGEST: Final = "api.batch.ingest:Ingesting"
_COUNT: Final = "api.batch.underway:UnderWay._count"
_COMPLETE: Final = "api.batch.loader:Loader._complete"

LOAD: Final = (
    Point("load.taken", "taken > chunk", f"{_UPLOAD}._flush", "before"),
    Point("load.chunk", "chunk > durable", f"{_UPLOAD}._flush"),
    Point("load.durable", "durable > job row", f"{_UPLOAD}.end"),
    Point("load.job_row", "job row > job", "storage.jobs:add"),
    Point("load.job", "job > claimed", "api.batch.loads:Loads.make"),
    Point("load.unclaimed", "job > claimed", "api.batch.ledger:Ledger.take", "before"),
    Point("load.claimed", "claimed > validated", "api.batch.ledger:Ledger.take"),
    Point("load.found", "claimed > validated", "api.batch.ledger:Ledger.begin_again"),
    Point("load.validated", "validated > block cut", "api.batch.validate:Validating.run"),
    Point("load.cut", "block cut > block logged", f"{_INGEST}._log", "before"),
    Point("load.logged", "block logged > block stored", f"{_INGEST}._log"),
    Point("load.stored", "block stored > counted row", _COUNT, "before"),
    Point("load.counting", "counted row > counted", "storage.jobs:change", caller="body"),
    Point("load.counted", "counted > ended", _COUNT),
    Point("load.ending", "counted > ended", _COMPLETE, "before"),
    Point("load.ended", "ended > told", _COMPLETE),
)
