from dataclasses import replace
from functools import lru_cache
from typing import Any

from rules.alerting.compiled import compile_rule
from rules.alerting.rule import Rule, next_version
from rules.alerting.rulebook import Judged, Rulebook
from rules.limits import Limits
from rules.schema.dataset import ColumnType


def rule(where: str = "temp > 30", **more: Any) -> Rule:
    given: dict[str, Any] = {"workspace": "acme", "id": "hot", "version": 1, "on": "readings"}
    return Rule(**given | {"where": where} | more)


def matched(
    book: Rulebook, record: dict[str, Any], workspace: str = "acme", dataset: str = "readings"
) -> list[str]:
    found = judged(book, record, workspace, dataset)
    return [] if found is None else [one.id for one in found.matched]


def judged(
    book: Rulebook, record: dict[str, Any], workspace: str = "acme", dataset: str = "readings"
) -> Judged | None:
    judge = book.judging(workspace, dataset)
    return None if judge is None else judge(record)


def test_workspaces_and_datasets_match_without_case() -> None:
    book = Rulebook()
    book.put(rule(workspace="Acme", on="Readings"))
    assert matched(book, {"temp": 31}, "ACME", "readingS") == ["hot"]
    assert matched(book, {"temp": 31}, "other", "readings") == []
    assert matched(book, {"temp": 31}, "acme", "other") == []
    assert book.rule("ACME", "hot") is not None


def test_only_a_higher_version_is_taken() -> None:
    book = Rulebook()
    assert book.put(rule(version=3))
    assert not book.put(rule("temp > 0", version=3))
    assert not book.put(rule("temp > 0", version=2))
    assert matched(book, {"temp": 1}) == []
    assert book.put(rule("temp > 0", version=4))
    assert matched(book, {"temp": 1}) == ["hot"]
    assert dict(book.versions()) == {("acme", "hot"): 4}


def test_a_paused_rule_is_silent_and_known_and_a_deleted_one_leaves_its_version() -> None:
    book = Rulebook()
    first = rule()
    book.put(first)
    paused = next_version(first, state="paused")
    book.put(paused)
    assert matched(book, {"temp": 31}) == []
    assert book.rule("acme", "hot") == paused
    book.put(next_version(paused, state="active"))
    assert matched(book, {"temp": 31}) == ["hot"]
    book.put(replace(first, version=4, state="deleted"))
    assert matched(book, {"temp": 31}) == []
    assert book.rule("acme", "hot") is None
    assert book.versions()["acme", "hot"] == 4
    assert not book.put(first)


def test_a_rule_that_moves_to_another_dataset_leaves_the_first() -> None:
    book = Rulebook()
    book.put(rule())
    book.put(rule(version=2, on="others"))
    assert matched(book, {"temp": 31}) == []
    assert matched(book, {"temp": 31}, dataset="others") == ["hot"]


def test_a_condition_that_fails_on_an_event_is_reported_with_its_reason() -> None:
    book = Rulebook()
    book.put(rule("temp + 1 > 30"))
    book.put(rule("temp > 30", id="other"))
    found = judged(book, {"temp": "warm"})
    assert found is not None
    assert found.matched == []
    ((broken, why),) = found.failed
    assert broken.id == "hot"
    assert "'+'" in why


def test_a_condition_that_can_not_be_compiled_is_an_error_of_every_event_and_stops_nobody() -> None:
    book = Rulebook(Limits(condition_bytes=12))
    book.put(rule("temp > 30 && temp < 50"))
    book.put(rule("temp > 30", id="fine"))
    found = judged(book, {"temp": 31})
    assert found is not None
    assert [one.id for one in found.matched] == ["fine"]
    assert [one.id for one, _ in found.failed] == ["hot"]
    found = judged(book, {})
    assert found is not None
    assert found.failed[0][1].startswith("The condition can't be compiled")


def test_a_column_that_becomes_a_date_time_is_compared_as_one_from_then_on() -> None:
    book = Rulebook()
    book.put(rule('at >= "2024-01-01T00:00:00Z"'))
    half_past = {"at": "2024-01-01T00:00:00.5Z"}
    assert matched(book, half_past) == []
    book.know("Acme", "Readings", {"at": ColumnType.DATETIME})
    assert matched(book, half_past) == ["hot"]
    book.know("acme", "readings", None)
    assert matched(book, half_past) == []


def test_several_books_share_what_was_compiled_once() -> None:
    compiled = lru_cache(maxsize=10)(compile_rule)
    books = [Rulebook(compiler=compiled) for _ in range(3)]
    for book in books:
        book.put(rule())
        assert matched(book, {"temp": 31}) == ["hot"]
    assert compiled.cache_info().misses == 1
