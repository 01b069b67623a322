"""A row of the bench: what was measured against what, as a ratio of one run, and what it was to reach."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal

Verdict = Literal["dream", "reached", "missed", "told"]


@dataclass(frozen=True, slots=True)
class Goal:
    """What a figure is to reach and to dream of; `larger` says which way is better."""

    reach: float
    dream: float
    larger: bool = True
    unit: str = ""

    def verdict(self, value: float) -> Verdict:
        """Return how far `value` comes."""
        if value >= self.dream if self.larger else value <= self.dream:
            return "dream"
        return "reached" if (value >= self.reach if self.larger else value <= self.reach) else "missed"

    def shown(self, bound: float) -> str:
        """Return a bound for the table."""
        return f"{'≥' if self.larger else '≤'} {bound:g}{self.unit}"


@dataclass(frozen=True, slots=True)
class Row:
    """One line: the ratios of its alternating pairs, the goal, and the absolute figures by their names.

    `goal` None: a figure that is told and has no goal. `value` is what the goal is about, where it is not
    the ratio; `remark` says what a reader must know.
    """

    name: str
    work: str
    against: str
    ratios: tuple[float, ...]
    goal: Goal | None
    figures: Mapping[str, float]
    value: float | None = None
    remark: str = ""

    @property
    def ratio(self) -> float:
        """The median of the pairs' ratios."""
        return median(self.ratios)

    @property
    def verdict(self) -> Verdict:
        """Whether it reaches its goal."""
        if self.goal is None:
            return "told"
        return self.goal.verdict(self.ratio if self.value is None else self.value)

    def to_json(self) -> dict[str, object]:
        """Return it for a machine."""
        return {
            "name": self.name,
            "work": self.work,
            "against": self.against,
            "ratio": self.ratio,
            "ratios": list(self.ratios),
            "value": self.value,
            "reach": None if self.goal is None else self.goal.reach,
            "dream": None if self.goal is None else self.goal.dream,
            "verdict": self.verdict,
            "figures": dict(self.figures),
            "remark": self.remark,
        }


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured: `rounds` of alternating pairs, `seconds` each."""

    rounds: int
    seconds: float


def ratios(ours: Sequence[float], theirs: Sequence[float]) -> tuple[float, ...]:
    """Return the ratio of each pair."""
    return tuple(mine / other for mine, other in zip(ours, theirs, strict=True))
