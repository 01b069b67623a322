"""A batch load: its states and which may follow which, what it loads, how far it has come.

Values only; `storage.jobs` keeps them. The formats are for good, as those of `rules.envelope` are.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import msgspec

LINES: Final = 50
"""Lines that a job's own log has at the most."""
TITLE: Final = 256
"""Characters of a job's title, the names of its datasets; a longer one is cut."""


class State(StrEnum):
    """What is being done for a job: validated whole, then stored."""

    VALIDATING = "VALIDATING"
    VALIDATED = "VALIDATED"
    INGESTING = "INGESTING"
    INGESTED = "INGESTED"
    ERROR = "ERROR"
    CANCELLED = "CANCELLED"


_FOLLOWS: Final = {
    State.VALIDATING: {State.VALIDATED, State.ERROR, State.CANCELLED},
    State.VALIDATED: {State.INGESTING, State.ERROR, State.CANCELLED},
    State.INGESTING: {State.INGESTED, State.ERROR, State.CANCELLED},
    State.INGESTED: set[State](),
    State.ERROR: {State.VALIDATING},
    State.CANCELLED: {State.VALIDATING},
}
ENDED: Final = frozenset({State.INGESTED, State.ERROR, State.CANCELLED})


def may_follow(state: State, after: State) -> bool:
    """Return whether `state` may come after `after`; what has ended begins anew by a retry."""
    return state in _FOLLOWS[after]


class Source(msgspec.Struct, array_like=True, frozen=True):
    """Bytes to load into one dataset.

    `name` is the dataset as the caller wrote it; `handling` is `rules.envelope.Handling`. `runs` are its
    messages in the partition of the job: (first offset, how many, bytes of each); `size` their bytes in all.
    `create`: where there is no such dataset, it is made.
    """

    dataset: str
    name: str
    handling: int
    runs: list[tuple[int, int, int]]
    size: int
    create: bool = True


class Change(msgspec.Struct, array_like=True, frozen=True):
    """A change of a dataset with its stored rows: what `rules.envelope.Rewrite` says of it."""

    dataset_id: int
    how: str
    patch: str


class Definition(msgspec.Struct, array_like=True, frozen=True):
    """What a job is asked to do; never changed. `most_invalid` is the error limit, None for none.

    With a `change` it loads nothing, and its one source names the dataset that is changed.
    """

    partition: int
    sources: list[Source]
    event: bool = False
    most_invalid: int | None = None
    title: str = ""
    change: Change | None = None


class Counts(msgspec.Struct, array_like=True, frozen=True):
    """Numbers of records of one source.

    `accepted` are those written; each of them is inserted, replaced, ignored or quarantined once stored.
    `seconds` is how long validating took.
    """

    read: int = 0
    validated: int = 0
    invalid: int = 0
    accepted: int = 0
    inserted: int = 0
    replaced: int = 0
    ignored: int = 0
    quarantined: int = 0
    seconds: float = 0.0

    @property
    def ingested(self) -> int:
        """Records that are stored, or were stored before and ignored."""
        return self.accepted - self.quarantined

    def plus(self, **more: float) -> "Counts":
        """Return the counts with some of them raised."""
        return msgspec.structs.replace(self, **{name: getattr(self, name) + by for name, by in more.items()})


class Mark(msgspec.Struct, array_like=True, frozen=True):
    """How far a source is stored: the place where its next block begins (`api.decode.blocks.Place`)."""

    source: int = 0
    at: int = 0
    index: int = 0
    line: int = 1
    block: int = 0
    ended: bool = False
    begun: bool = False


class Line(msgspec.Struct, array_like=True, frozen=True):
    """A line of a job's log: when (ms since 1970), how grave, what."""

    timestamp: int
    severity: str
    message: str


class Progress(msgspec.Struct, array_like=True, frozen=True):
    """How far a job has come.

    `counts` are a source's each; `types` the columns that validating found in a CSV's new columns: name,
    type, whether an integer beyond ±2^53 is among them. `done` are the bytes worked through, of twice the
    job's bytes. `datasets` are the ids of the sources' datasets, 0 for one that is yet to be made.
    """

    counts: list[Counts]
    types: list[list[tuple[str, str, bool]]]
    mark: Mark = Mark()
    done: int = 0
    last_good: str = State.VALIDATING.value
    message: str = ""
    log: list[Line] = []
    datasets: list[int] = []

    def dataset_of(self, source: int) -> int:
        """Return the id of the dataset that a source goes to, 0 while none is there."""
        return self.datasets[source] if source < len(self.datasets) else 0


@dataclass(frozen=True, slots=True)
class Job:
    """A job as it is kept. Times are ns since 1970; `version` rises with every change; `holds` says that its
    `size` bytes are in the log yet. `number` orders jobs as they came."""

    id: str
    number: int
    workspace: str
    dataset: str
    status: State
    version: int
    owner: int | None
    size: int
    holds: bool
    created_at: int
    started_at: int | None
    ended_at: int | None
    definition: Definition
    progress: Progress

    @property
    def ended(self) -> bool:
        """Whether nothing will be done for it any more, unless it is retried."""
        return self.status in ENDED

    @property
    def total(self) -> Counts:
        """The counts over all its sources."""
        return sum_of(self.progress.counts)

    @property
    def share(self) -> float:
        """How far it has come, 0 to 1."""
        if self.status is State.INGESTED:
            return 1.0
        return min(0.999, self.progress.done / (2 * self.size)) if self.size else 0.0


class Invalid(msgspec.Struct, array_like=True, frozen=True):
    """Why a record was not taken: its source, its index there, its line, where in it, which code."""

    source: int
    index: int
    line: int
    path: str
    code: str
    message: str
    nth: int = 0


def sum_of(counts: list[Counts]) -> Counts:
    """Return the sums."""
    total: dict[str, Any] = {
        name: sum(getattr(one, name) for one in counts) for name in Counts.__struct_fields__
    }
    return Counts(**total)


def said(progress: Progress, at: int, severity: str, message: str) -> Progress:
    """Return the progress with a line more in its log; `at` is in ns. The oldest but the first give way."""
    log = [*progress.log, Line(at // 1_000_000, severity, message)]
    if len(log) > LINES:
        del log[1]
    return msgspec.structs.replace(progress, log=log)
