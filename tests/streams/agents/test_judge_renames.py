"""Judge while datasets are renamed: their rules go with them, wherever the word of it stands in the log."""

from typing import Any

from rules.alerting.rule import Rule
from rules.schema.dataset import Dataset
from storage import datasets
from storage import rules as kept_rules
from streams.awaiting import on_loop
from tests.streams.agents.floor import Floor, a_write

HOT: dict[str, Any] = {"id": "hot", "on": "d", "where": "n > 30", "key": ["id"]}


async def renamed(here: Floor, dataset: Dataset, name: str, version: int = 2) -> tuple[Dataset, Rule]:
    """Rename a dataset and keep its rule's next version, as one transaction does; nobody has word of it."""
    new = dataset.named(name)
    assert await on_loop(here.store.write(lambda c: datasets.rename(c, dataset, new)))
    return new, await here.kept_rule(version, **{**HOT, "on": name})


async def stored(here: Floor, dataset: Dataset, *ids: str) -> None:
    """Have records above the threshold stored, under the name that the dataset has in `dataset`."""
    start = here.receipts.committed(0)
    for one in ids:
        await here.written(a_write(dataset, [{"id": one, "n": 31}]))
    await (await here.persist()).apply(0, await here.messages(start=start))


async def raised(here: Floor) -> list[tuple[str, int]]:
    """Return the records for which there are alerts, and the versions of the rule that raised them."""
    return [(alert.event["id"], alert.rule_version) for alert in await here.judged()]


async def test_what_was_written_before_a_rename_is_judged_by_the_rules_that_went_with_it(here: Floor) -> None:
    dataset = await here.dataset()
    await here.rule(**HOT)
    await stored(here, dataset, "before")
    _, rule = await renamed(here, dataset, "e")
    await here.announced(rule)
    await stored(here, dataset, "late")
    assert await raised(here) == [("before", 1), ("late", 2)]
    assert here.catalogue.known("w", "d") is None


async def test_what_is_written_under_a_new_name_is_judged_once(here: Floor) -> None:
    dataset = await here.dataset()
    await here.rule(**HOT)
    moved, rule = await renamed(here, dataset, "e")
    await here.announced(rule)
    await stored(here, moved, "a")
    await stored(here, dataset, "b")
    assert await raised(here) == [("a", 2), ("b", 2)]


async def test_what_is_written_under_a_new_name_before_the_word_of_it_is_judged_too(here: Floor) -> None:
    dataset = await here.dataset()
    await here.rule(**HOT)
    moved, rule = await renamed(here, dataset, "e")
    await stored(here, moved, "a")
    await stored(here, dataset, "b")
    await here.announced(rule)
    await stored(here, moved, "c")
    expected = [("a", 2), ("b", 2), ("c", 2)]
    assert await raised(here) == expected
    await stored(here, moved, "d")  # with a judge that begins with what is in force
    assert await raised(here) == [*expected, ("d", 2)]


async def test_renames_one_after_another_lose_nothing_however_late_records_are_judged(
    here: Floor,
) -> None:
    first = await here.dataset()
    await here.rule(**HOT)
    second, to_second = await renamed(here, first, "e")
    await stored(here, first, "1")
    await stored(here, second, "2")
    third, to_third = await renamed(here, second, "f", version=3)
    fourth, to_fourth = await renamed(here, third, "g", version=4)
    await stored(here, third, "3")
    await here.announced(to_second)
    await stored(here, first, "4")
    await here.announced(to_third)
    await stored(here, second, "5")
    await stored(here, fourth, "6")
    await here.announced(to_fourth)
    await stored(here, first, "7")
    assert [one for one, _ in await raised(here)] == ["1", "2", "3", "4", "5", "6", "7"]


async def test_a_rule_on_a_name_that_became_free_does_not_judge_what_had_it(here: Floor) -> None:
    dataset = await here.dataset()
    await here.rule(**HOT)
    moved, rule = await renamed(here, dataset, "e")
    await here.announced(rule)
    await here.rule(**{**HOT, "id": "another"})
    await stored(here, moved, "a")
    assert [(alert.rule, alert.event["id"]) for alert in await here.judged()] == [("hot", "a")]
    found = await on_loop(here.store.read(lambda c: kept_rules.in_force(c, here.log.identity, 0)))
    assert sorted((rule.id, rule.on, rule.version) for rule in found) == [
        ("another", "d", 1),
        ("hot", "e", 2),
    ]
