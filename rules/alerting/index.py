"""Which rules an event may match: found by value, not by asking every rule.

Each alternative of a rule's condition (`disjuncts`) is filed under the most telling of its members
(`access`): an equality in a hash, there or without one under its first two thresholds in sorted arrays, the
rest in a list that every event of the dataset visits. A rule that the index does not find is not evaluated:
it would not match, and whether it would have given false or an error nobody learns.

The idea is the predicate index of Fabret et al., "Filtering algorithms and implementation for very fast
publish/subscribe systems" (SIGMOD 2001).
"""

from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from rules.alerting.access import Access, Equal, Steps, access, hash_key, reach
from rules.alerting.disjuncts import disjuncts
from rules.alerting.groups import Groups, Label, Lone, label
from rules.condition.tree import Node

MOST_KEYS: Final = 128
"""Values of a rule's equalities that get an entry each; past it the condition is asked, to bound memory."""

T = TypeVar("T")

_EVERYWHERE: Final = Access(None, None, None, whole=False)


@dataclass(frozen=True, slots=True)
class _Filed(Generic[T]):
    """Where a holder stands, to find it again when it goes; its n-th way has the serial `serial` + n."""

    holder: T
    serial: int
    ways: tuple[Access, ...]

    def sure(self, way: Access) -> bool:
        # With several alternatives one event may find several, and must count the rule once.
        return way.whole and len(self.ways) == 1


class RuleIndex(Generic[T]):
    """The rules of one dataset, each as a `holder` under a name; holders are hashable.

    `find` is what an event costs; `insert` and `remove` cost tens of microseconds and rebuild nothing.
    """

    def __init__(self) -> None:
        self._hashes: dict[Steps, dict[Hashable, Lone[T] | Groups[T]]] = {}
        self._open: Groups[T] = Groups()
        self._filed: dict[str, _Filed[T]] = {}
        self._serial = 0
        self._manifold = 0

    def __len__(self) -> int:
        return len(self._filed)

    def __iter__(self) -> Iterator[T]:
        return (filed.holder for filed in self._filed.values())

    def insert(self, name: str, tree: Node | None, holder: T) -> None:
        """File `holder` under the condition `tree` in place of what `name` held before.

        `tree` None: every event leads to it.
        """
        self.remove(name)
        filed = self._filed[name] = _Filed(holder, self._serial, self._ways(tree))
        self._serial += len(filed.ways)
        self._manifold += len(filed.ways) > 1
        for serial, way in enumerate(filed.ways, filed.serial):
            of = label(way, filed.sure(way))
            if way.equal is None:
                self._open.insert(of, way, serial, holder)
            else:
                table = self._hashes.setdefault(way.equal.steps, {})
                for key in way.equal.keys:
                    table[key] = _joined(table.get(key), Lone(of, way, serial, holder))

    def remove(self, name: str) -> None:
        """Forget what `name` holds, if anything."""
        filed = self._filed.pop(name, None)
        if filed is None:
            return
        self._manifold -= len(filed.ways) > 1
        for serial, way in enumerate(filed.ways, filed.serial):
            of = label(way, filed.sure(way))
            if way.equal is None:
                self._open.remove(of, way, serial)
            else:
                self._unhash(way.equal, of, way, serial)

    def find(self, record: Mapping[str, Any]) -> tuple[list[T], list[T]]:
        """Return the holders that match `record` for sure, and those that may; nobody else does."""
        sure: list[T] = []
        unsure: list[T] = []
        for steps, table in self._hashes.items():
            value = record.get(steps) if type(steps) is str else reach(record, steps)
            behind = table.get(value if type(value) is str else hash_key(value))
            if behind is not None:
                behind.find(record, sure, unsure)
        if self._open:
            self._open.find(record, sure, unsure)
        if self._manifold and unsure:
            unsure = list(dict.fromkeys(unsure))
        return sure, unsure

    def _ways(self, tree: Node | None) -> tuple[Access, ...]:
        alternatives = None if tree is None else disjuncts(tree)
        if alternatives is None:
            return (_EVERYWHERE,)
        keys = MOST_KEYS // len(alternatives)
        ways = (access(one, self._spread, keys) for one in alternatives)
        return tuple(way for way in ways if way is not None)

    def _spread(self, steps: Steps) -> int:
        return len(self._hashes.get(steps, ()))

    def _unhash(self, equal: Equal, of: Label, way: Access, serial: int) -> None:
        table = self._hashes[equal.steps]
        for key in equal.keys:
            behind = table[key]
            if isinstance(behind, Groups):
                behind.remove(of, way, serial)
            if isinstance(behind, Lone) or not behind:
                del table[key]
        if not table:
            del self._hashes[equal.steps]


def _joined(behind: Lone[T] | Groups[T] | None, more: Lone[T]) -> Lone[T] | Groups[T]:
    """Return what stands behind a value once `more` has come to what was there."""
    if behind is None:
        return more
    if isinstance(behind, Lone):
        alone, behind = behind, Groups()
        behind.insert(alone.label, alone.way, alone.serial, alone.holder)
    behind.insert(more.label, more.way, more.serial, more.holder)
    return behind
