"""Rules that go with a renamed dataset, where its records come before the word of it.

A rename keeps the next version of each rule in its own transaction, and tells the partitions of `events`
after it. The new name serves meanwhile: an event under it is word of the rename as well, so the versions that
it made are in force from there on.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from rules.alerting.rule import Rule
from rules.alerting.rulebook import Rulebook
from rules.envelope import RuleChange
from rules.names import fold
from rules.schema.dataset import Dataset
from storage import rules
from storage.store import Store
from streams.awaiting import on_loop

Moved = dict[tuple[int, str], Sequence[Rule]]
"""By dataset and the name under which records were written: versions that renames up to that name made."""

STAYED: Final = 10_000
"""Versions of which is remembered that no rename took them along: another dataset has the name now."""


class Renames:
    """Finds the versions of rules that renames made."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._stayed: dict[tuple[int, str, int], None] = {}

    async def moved(
        self, book: Rulebook, dataset: Dataset, written_as: str, changes: Iterable[RuleChange]
    ) -> Sequence[Rule]:
        """Return the versions that renames of the dataset made, of rules that were on a name it had before.

        They are those whose version before was on an earlier name; `changes` come between the records.
        """
        earlier = dataset.names_before(written_as)
        held = {(rule.id, rule.version) for name in earlier for rule in book.on(dataset.workspace, name)}
        held |= {
            (one.rule, one.version)
            for one in changes
            if fold(one.workspace) == fold(dataset.workspace) and fold(one.definition["on"]) in earlier
        }
        asked = {one for one in held if (dataset.id, *one) not in self._stayed}
        if not asked:
            return ()
        ids = sorted({rule_id for rule_id, _ in asked})
        kept = await on_loop(self._store.read(lambda c: rules.versions(c, dataset.workspace, ids)))
        found = list(_moved(kept, dataset, earlier))
        went = {rule.id for rule in found}
        self._note(dataset, (one for one in asked if one[0] not in went))
        return found

    def _note(self, dataset: Dataset, stayed: Iterable[tuple[str, int]]) -> None:
        for rule_id, version in stayed:
            self._stayed[dataset.id, rule_id, version] = None
        while len(self._stayed) > STAYED:
            del self._stayed[next(iter(self._stayed))]


def _moved(kept: Iterable[Rule], dataset: Dataset, earlier: Sequence[str]) -> Iterator[Rule]:
    names = (*dataset.former, dataset.folded)
    by_version: Mapping[tuple[str, int], Rule] = {(rule.id, rule.version): rule for rule in kept}
    for (rule_id, version), rule in by_version.items():
        before = by_version.get((rule_id, version - 1))
        if before is not None and fold(before.on) in earlier:
            follows = names[names.index(fold(before.on)) + 1 :]
            if fold(rule.on) in follows and rule.state != "deleted":
                yield rule


def brought(book: Rulebook, moved: Iterable[Rule]) -> Iterator[Rule]:
    """Bring versions into force where an earlier one is, and yield them."""
    for rule in moved:
        held = book.rule(rule.workspace, rule.id)
        if held is not None and book.put(rule):
            yield rule
