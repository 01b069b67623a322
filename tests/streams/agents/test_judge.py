"""Judge over a real log and a real database: each cause raises its alert once, and never too early."""

import asyncio
from typing import Any

import pytest

from rules.envelope import EVENT, Handling, Happened, Origin
from rules.errors import Later
from rules.ids import alert_id, canonical_key
from storage.offsets import Token
from streams.agents.judge import Judge, Slice
from streams.agents.partition import Lost, Seek
from streams.positions import committed
from streams.topics import EVENTS
from streams.wire import encode, join, read_word
from tests.stage.patience import eventually
from tests.streams.agents.floor import Floor, a_write, driven

HOT = {"id": "hot", "on": "d", "where": "n > 30", "key": ["id"]}


class EndedError(Exception):
    """Stands for the end of the process."""


def ends_after_one(judge: Judge, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a judge commit one slice and end at the next."""
    commit, left = judge._commit, [None]

    async def one(piece: Slice) -> None:
        if not left:
            raise EndedError
        left.pop()
        await commit(piece)

    monkeypatch.setattr(judge, "_commit", one)


async def stored(here: Floor, *numbers: int) -> None:
    """Write a record a number and have persist store them, an envelope each."""
    dataset = await here.catalogue.find("w", "d") or await here.dataset()
    start = here.receipts.committed(0)
    for n in numbers:
        await here.written(a_write(dataset, [{"id": f"k{n}", "n": n}], Handling.REPLACE))
    await (await here.persist()).apply(0, await here.messages(start=start))


async def test_what_matches_raises_an_alert_with_the_id_of_its_cause(here: Floor) -> None:
    await here.rule(**HOT)
    await stored(here, 20, 31, 40)
    alerts = await here.judged()
    assert [alert.event["n"] for alert in alerts] == [31, 40]
    assert [alert.id for alert in alerts] == [
        alert_id("w", "hot", 1, canonical_key([f"k{n}"]), Origin(1, 0, offset, 0))
        for offset, n in ((1, 31), (2, 40))
    ]
    assert here.raised == [{"w"}]


async def test_events_said_twice_raise_once(here: Floor) -> None:
    await here.rule(**HOT)
    await stored(here, 31, 32)
    for message in await here.messages(EVENTS, 1):
        await here.log.append(EVENTS, 0, message.payload)
    assert [alert.event["n"] for alert in await here.judged()] == [31, 32]


async def test_a_judge_that_starts_again_goes_on_where_the_last_one_was(here: Floor) -> None:
    await here.rule(**HOT)
    await stored(here, 31)
    assert len(await here.judged()) == 1
    await stored(here, 32)
    assert [alert.event["n"] for alert in await here.judged()] == [31, 32]
    assert here.raised == [{"w"}, {"w"}]


async def test_a_rule_judges_what_follows_it_and_nothing_before(here: Floor) -> None:
    await stored(here, 50)
    await here.rule(**HOT)
    await stored(here, 51)
    assert [alert.event["n"] for alert in await here.judged()] == [51]


async def test_rules_stay_in_force_over_a_restart(here: Floor) -> None:
    await here.rule(**HOT)
    await here.judged()
    await stored(here, 31)
    assert [alert.event["n"] for alert in await here.judged()] == [31]


async def test_an_event_waits_until_its_record_is_stored(here: Floor) -> None:
    await here.rule(**HOT)
    dataset = await here.dataset()
    happened = Happened(1, 0, "w", "d", dataset.id, 0, True, [0], [{"id": "a", "n": 31, "_id": "x"}])
    await here.log.append(EVENTS, 0, join([encode(happened)]))
    judge = await here.judge()
    judging = asyncio.ensure_future(judge.apply(0, await here.messages(EVENTS)))
    await asyncio.wait({judging}, timeout=0.4)
    assert not judging.done()
    assert here.raised == []
    here.receipts.passed(0, 1)
    await asyncio.wait_for(judging, 5)
    assert here.raised == [{"w"}]


async def test_a_lost_receipt_is_made_up_for_by_the_store(here: Floor) -> None:
    await here.rule(**HOT)
    await stored(here, 31)
    here.receipts.passed(0, 0)
    assert len(await asyncio.wait_for(here.judged(), 5)) == 1


async def test_another_holder_takes_the_partition(here: Floor) -> None:
    await here.rule(**HOT)
    await stored(here, 31)
    old, new = await here.judge(), await here.judge(Token(0, 2))
    with pytest.raises(Lost):
        await old.apply(0, await here.messages(EVENTS))
    await new.apply(0, await here.messages(EVENTS))
    await eventually(lambda: here.raised == [{"w"}])


@pytest.mark.parametrize("together", [1, 2, 3, 7])
async def test_many_alerts_are_committed_in_slices_and_each_once(
    here: Floor, monkeypatch: pytest.MonkeyPatch, together: int
) -> None:
    monkeypatch.setattr("streams.agents.judge.TOGETHER", together)
    await here.rule(**HOT)
    await here.rule(**{**HOT, "id": "hotter", "where": "n > 33"})
    dataset, persist = await here.dataset(), await here.persist()
    await here.written(a_write(dataset, [{"id": f"k{n}", "n": n} for n in range(28, 40)]))
    await persist.apply(0, await here.messages())
    alerts = await here.judged()
    expected = [("hot", n) for n in range(31, 40)] + [("hotter", n) for n in range(34, 40)]
    assert sorted((alert.rule, alert.event["n"]) for alert in alerts) == expected
    assert sorted((a.rule, a.event["n"]) for a in await here.judged()) == expected


@pytest.mark.parametrize("together", [1, 2, 5])
async def test_a_judge_that_ends_between_two_slices_loses_and_doubles_nothing(
    here: Floor, monkeypatch: pytest.MonkeyPatch, together: int
) -> None:
    monkeypatch.setattr("streams.agents.judge.TOGETHER", together)
    await here.rule(**HOT)
    dataset, persist = await here.dataset(), await here.persist()
    await here.written(a_write(dataset, [{"id": f"k{n}", "n": n} for n in range(31, 40)]))
    await here.written(a_write(dataset, [{"id": f"k{n}", "n": n} for n in range(41, 43)]))
    await persist.apply(0, await here.messages())
    messages = await here.messages(EVENTS)
    for _ in range(20):
        judge = await here.judge()
        ends_after_one(judge, monkeypatch)
        try:
            await driven(judge, messages)
        except EndedError:
            continue
        break
    alerts = await here.judged()
    assert sorted(alert.event["n"] for alert in alerts) == [*range(31, 40), 41, 42]


async def test_a_slice_whose_commit_was_not_heard_of_is_judged_no_second_time(
    here: Floor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streams.agents.judge.TOGETHER", 2)
    await here.rule(**HOT)
    await here.judged()
    dataset, persist = await here.dataset(), await here.persist()
    await here.written(a_write(dataset, [{"id": f"k{n}", "n": n} for n in range(31, 36)]))
    await persist.apply(0, await here.messages())
    judge, messages = await here.judge(), await here.messages(EVENTS, 1)

    async def unheard(*given: Any) -> None:
        await committed(*given)
        raise Later("the connection was lost after the commit")

    with monkeypatch.context() as patched, pytest.raises(Later):
        patched.setattr("streams.agents.judge.committed", unheard)
        await judge.apply(0, messages)
    with pytest.raises(Seek) as seek:
        await judge.apply(0, messages)
    assert seek.value.next == 1, "it stands within that message"
    await driven(judge, messages)
    assert sorted(alert.event["n"] for alert in await here.judged()) == [31, 32, 33, 34, 35]
    assert len(here.raised) == 2, "of three slices one was not told of"


async def test_published_only_records_are_judged(here: Floor) -> None:
    await here.rule(**HOT)
    await here.written(a_write(None, [{"id": "a", "n": 99}], flags=EVENT))
    await (await here.persist()).apply(0, await here.messages())
    (alert,) = await here.judged()
    assert (alert.event["n"], alert.key) == (99, {"id": "a"})


async def test_a_condition_that_fails_on_a_record_disturbs_no_other(here: Floor) -> None:
    await here.rule(**{**HOT, "id": "odd", "where": "1 / n > 0.01", "key": []})
    await here.rule(**HOT)
    await stored(here, 0, 31)
    assert [(a.rule, a.event["n"]) for a in await here.judged() if a.rule == "hot"] == [("hot", 31)]


async def test_words_of_events_name_every_record_once(here: Floor) -> None:
    await stored(here, 1, 2, 3)
    words = [read_word(message.payload) for message in await here.messages(EVENTS)]
    told = [entry for word in words for entry in word.entries if isinstance(entry, Happened)]
    assert [(one.offset, one.items) for one in told] == [(0, [0]), (1, [0]), (2, [0])]
