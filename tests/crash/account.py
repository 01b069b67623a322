"""An account of what clients sent and what they were told: all that the books are held against."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from time import time
from typing import Any, Final

WORKSPACE: Final = "acme"
PARTITIONS: Final = 4

PLAIN, WIDE, KEPT, GROWN = "plain", "wide", "kept", "grown"
KEYED, SPREAD, TIGHT, BRIEF, SAID = "keyed", "spread", "tight", "brief", "said"
LOADED: Final = "loaded"
RETENTION: Final = 4.0
"""Seconds that the dataset `kept` keeps its records."""

Body = dict[str, Any]
State = Body | None
"""What stands under a key: a record without its own fields, or nothing."""


def rule_on(dataset: str, spared: int) -> Body:
    """Return the rule of a dataset that most of its records match, by their numbers.

    All but those whose number leaves the remainder `spared` by 4: what is lost or judged by another version
    shall show.
    """
    key = ["id"] if dataset == SPREAD else []  # the columns of a partitionBy belong to it
    return {"id": f"on_{dataset}", "on": dataset, "where": f"n % 4 != {spared}", "key": key}


@dataclass(slots=True)
class Sent:
    """One record that was sent, by its number, which no other has.

    `told`: it was acknowledged. `happens`: acknowledged, it makes an event. `least` and `most` are the
    rule's versions that may judge it: the last one that was answered before it was sent, the last one there
    was once all was quiet.
    """

    number: int
    dataset: str
    client: str
    body: Body
    least: int
    at: float
    happens: bool = True
    told: bool = False
    most: int | None = None


@dataclass(slots=True)
class Told:
    """A write with an Idempotency-Key that was acknowledged, to be sent again."""

    path: str
    key: str
    body: Any
    write_id: str


@dataclass
class Account:
    """Everything sent over all starts of one broker; `name` tells it from others of this process."""

    name: str
    sent: dict[int, Sent] = field(default_factory=dict)
    versions: dict[str, int] = field(default_factory=dict)
    """The version of each dataset's rule that was answered last."""
    standing: dict[tuple[str, str], list[State]] = field(default_factory=dict)
    """What may stand under each key, by (dataset, key)."""
    again: list[Told] = field(default_factory=list)
    acknowledged: int = 0
    answers: dict[int, int] = field(default_factory=dict)
    may_be_late: bool = False
    """Whether a write that was not answered may land after what its client sent later."""
    wrong: list[str] = field(default_factory=list)
    """Answers that no kill excuses."""
    _numbers: "count[int]" = field(default_factory=lambda: count(1))

    def send(self, dataset: str, client: str, body: Body, *, happens: bool = True) -> Sent:
        """Note a record that is about to be sent; `n` is put into its body."""
        number = next(self._numbers)
        body["n"] = number
        least = self.versions.get(dataset, 0)
        one = Sent(number, dataset, client, body, least, time(), happens)
        self.sent[number] = one
        return one

    def told(self, records: list[Sent]) -> None:
        """Note that records were acknowledged."""
        for one in records:
            one.told = True
        self.acknowledged += len(records)

    def of(self, dataset: str) -> Iterator[Sent]:
        """Yield what was sent to a dataset, in the order of the numbers."""
        return (one for one in self.sent.values() if one.dataset == dataset)

    def stands(self, dataset: str, key: str) -> list[State]:
        """Return what may stand under a key."""
        return self.standing.setdefault((dataset, key), [None])

    def change(self, dataset: str, key: str, step: Callable[[State], State], *, told: bool) -> None:
        """Note a change under a key; one that was not answered may have been made or not."""
        before = self.stands(dataset, key)
        after = [step(state) for state in before]
        self.standing[dataset, key] = _distinct(after if told else [*before, *after])

    def seen(self, dataset: str, key: str, state: State) -> None:
        """Note what does stand under a key."""
        self.standing[dataset, key] = [state]


def _distinct(states: list[State]) -> list[State]:
    return [state for place, state in enumerate(states) if state not in states[:place]]
