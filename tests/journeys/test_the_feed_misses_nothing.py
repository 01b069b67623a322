"""Those who read alerts and events as they come: in order, each once, from where they left off."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.stage.events import streaming
from tests.stage.house import House, house
from tests.stage.lock import locked, refuse
from tests.stage.patience import eventually
from tests.stage.stored import catalogued

pytestmark = pytest.mark.asyncio(loop_scope="module")

HOT = {"id": "hot", "on": "d", "where": "n > 0"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def here(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("storage.sqlite.engine.BUSY_MS", 300)
        async with house(tmp_path_factory.mktemp("feed")) as running:
            yield running


async def wrote(here: House, workspace: str, *numbers: int, path: str = "write") -> None:
    answer = await here.client.post(f"/v1/{path}/{workspace}/d", json=[{"n": n} for n in numbers])
    assert answer.status in (200, 202)


async def listed(here: House, workspace: str, query: str = "") -> list[dict[str, object]]:
    answer = await here.client.get(f"/v1/alerts/{workspace}{query}")
    assert answer.status == 200
    alerts: list[dict[str, object]] = answer.json["alerts"]
    return alerts


async def test_a_stream_of_alerts_sends_each_as_it_is_raised(here: House) -> None:
    w = here.workspace()
    await here.client.post(f"/v1/rules/{w}", json=HOT)
    url = f"{here.client.url}/v1/alerts/{w}/stream"
    async with streaming(url, here.client.token) as stream:
        await wrote(here, w, 1, 0, 2)
        sent = await stream.until(lambda sent: len(sent) == 2)
        assert [(one.event, one.data["event"]["n"]) for one in sent] == [("alert", 1), ("alert", 2)]
        assert [one.id for one in sent] == [one.data["id"] for one in sent]
        assert sent[1].data == (await listed(here, w))[0]


async def test_last_event_id_resumes_without_a_gap(here: House) -> None:
    w = here.workspace()
    await here.client.post(f"/v1/rules/{w}", json=HOT)
    url = f"{here.client.url}/v1/alerts/{w}/stream"
    async with streaming(url, here.client.token) as stream:
        await wrote(here, w, 1, 2)
        first = await stream.until(lambda sent: len(sent) == 2)
    await wrote(here, w, 3, 4)
    for seen, rest in ((first[0].id, [2, 3, 4, 5]), (first[1].id, [3, 4, 5]), ("unknown", [1, 2, 3, 4, 5])):
        async with streaming(url, here.client.token, seen) as stream:
            if seen == first[0].id:
                await wrote(here, w, 5)
            sent = await stream.until(lambda sent, rest=rest: len(sent) == len(rest))  # type: ignore[misc]
            assert [one.data["event"]["n"] for one in sent] == rest


async def test_an_empty_last_event_id_is_none(here: House) -> None:
    w = here.workspace()
    await here.client.post(f"/v1/rules/{w}", json=HOT)
    await wrote(here, w, 1)
    await eventually(lambda: _count(here, w, 1))
    async with streaming(f"{here.client.url}/v1/alerts/{w}/stream", here.client.token, "") as stream:
        await wrote(here, w, 2)
        sent = await stream.until(lambda sent: len(sent) == 1)
        assert [one.data["event"]["n"] for one in sent] == [2]


async def test_a_stream_lost_before_its_first_alert_resumes_without_a_gap(
    here: House,
) -> None:
    w = here.workspace()
    await here.client.post(f"/v1/rules/{w}", json=HOT)
    url = f"{here.client.url}/v1/alerts/{w}/stream"
    for already in (0, 1):
        async with here.client.session.get(
            url, headers={"Authorization": f"Bearer {here.client.token}"}
        ) as s:
            greeting = (await s.content.readuntil(b"\n\n")).decode().splitlines()
        (begun,) = [line.removeprefix("id: ") for line in greeting if line.startswith("id: ")]
        await wrote(here, w, already + 1)
        async with streaming(url, here.client.token, begun) as stream:
            sent = await stream.until(lambda sent: bool(sent))
            assert [one.data["event"]["n"] for one in sent] == [already + 1]


async def test_a_stream_sends_nothing_of_another_workspace(here: House) -> None:
    w, other = here.workspace(), here.workspace()
    for name in (w, other):
        await here.client.post(f"/v1/rules/{name}", json=HOT)
    async with streaming(f"{here.client.url}/v1/alerts/{w.upper()}/stream", here.client.token) as stream:
        await wrote(here, other, 1)
        await wrote(here, w, 2)
        sent = await stream.until(lambda sent: bool(sent))
        assert [one.data["event"]["n"] for one in sent] == [2]


async def test_live_events_are_of_what_was_stored_or_published_from_now_on(here: House) -> None:
    w = here.workspace()
    await wrote(here, w, 1)
    url = f"{here.client.url}/v1/events/{w}"
    async with (
        streaming(f"{url}/stream", here.client.token) as all_of_it,
        streaming(f"{url}/D/stream", here.client.token) as one_dataset,
    ):
        await wrote(here, w, 2, 3)
        await here.client.post(f"/v1/write/{w}/d?persist=false", json=[{"n": 4}])
        await here.client.post(f"/v1/write/{w}/d?event=false", json=[{"n": 5}])
        await here.client.post(f"/v1/write/{w}/e", json=[{"n": 6}])
        await wrote(here, w, 7)
        sent = await all_of_it.until(lambda sent: len(sent) == 5)
        numbers = [one.data["record"]["n"] for one in sent if one.data["dataset"] == "d"]
        assert (numbers, {one.event for one in sent}) == ([2, 3, 4, 7], {"record"})
        mine = await one_dataset.until(lambda sent: len(sent) == 4)
        assert [one.data["record"]["n"] for one in mine] == [2, 3, 4, 7]


async def test_live_events_are_sent_once_though_the_store_had_to_try_again(here: House) -> None:
    w = here.workspace()
    await wrote(here, w, 1)
    async with streaming(f"{here.client.url}/v1/events/{w}/stream", here.client.token) as stream:

        async def tried_again() -> None:
            metrics = (await here.client.get("/metrics")).body.decode()
            tries = [line for line in metrics.splitlines() if line.startswith("sluice_retries_total{")]
            assert any('role="persist"' in line for line in tries)

        with locked(here.data):
            await wrote(here, w, 2, path="record")
            await eventually(tried_again, deadline=15)
        await wrote(here, w, 3)
        sent = await stream.until(lambda sent: any(one.data["record"]["n"] == 3 for one in sent))
        assert [one.data["record"]["n"] for one in sent] == [2, 3]


async def test_live_events_leave_out_what_the_database_refused_after_its_event_was_appended(
    here: House,
) -> None:
    w = here.workspace()
    await wrote(here, w, 1)
    dataset = catalogued(here.data, w, "d")
    assert dataset is not None
    refuse(here.data, f"d{dataset.id}", "c1", 3)
    async with streaming(f"{here.client.url}/v1/events/{w}/stream", here.client.token) as stream:
        await wrote(here, w, 2, 3, 4)
        await here.client.post(f"/v1/write/{w}/d?persist=false", json=[{"n": 5}])
        sent = await stream.until(lambda sent: any(one.data["record"]["n"] == 5 for one in sent))
        assert [one.data["record"]["n"] for one in sent] == [2, 4, 5]


async def test_pages_of_alerts_put_together_are_all_of_them_newest_first(here: House) -> None:
    w = here.workspace()
    await here.client.post(f"/v1/rules/{w}", json=HOT)
    for n in range(1, 8):
        await wrote(here, w, n)
    await eventually(lambda: _count(here, w, 7))
    found: list[object] = []
    after = ""
    for _ in range(10):
        answer = await here.client.get(f"/v1/alerts/{w}?limit=3{after}")
        found += [alert["event"]["n"] for alert in answer.json["alerts"]]
        if answer.json["next"] is None:
            break
        after = f"&after={answer.json['next']}"
    assert found == [7, 6, 5, 4, 3, 2, 1]


async def _count(here: House, workspace: str, count: int) -> None:
    assert len(await listed(here, workspace)) == count


async def test_an_alert_is_acknowledged_with_a_note(here: House) -> None:
    w = here.workspace()
    await here.client.post(f"/v1/rules/{w}", json=HOT)
    await wrote(here, w, 1)
    await eventually(lambda: _count(here, w, 1))
    alert = (await listed(here, w))[0]
    seen = await here.client.post(f"/v1/alerts/{w}/{alert['id']}/ack", json={"note": "é"})
    assert (seen.status, seen.json["acknowledged"]["note"], seen.json["state"]) == (200, "é", "firing")
    assert (await listed(here, w))[0] == seen.json
    again = await here.client.post(f"/v1/alerts/{w}/{alert['id']}/ack")
    assert again.status == 200
    misspelt = await here.client.post(f"/v1/alerts/{w}/{alert['id']}/ack", json={"nte": "é"})
    assert (misspelt.status, misspelt.json["code"]) == (400, "bad_request")
    assert (await here.client.post(f"/v1/alerts/{w}/nothing/ack")).status == 404


async def test_a_rule_answered_201_judges_every_record_written_after_it(here: House) -> None:
    w = here.workspace()

    async def rule_then_write(number: int) -> None:
        made = await here.client.post(
            f"/v1/rules/{w}", json={"id": f"r{number}", "on": f"d{number}", "where": "n > 0"}
        )
        assert made.status == 201
        await here.client.post(f"/v1/record/{w}/d{number}", json={"n": number + 1})

    await asyncio.gather(*(rule_then_write(number) for number in range(20)))
    await eventually(lambda: _count(here, w, 20))


async def test_a_paused_rule_judges_nothing_until_it_is_resumed(here: House) -> None:
    w = here.workspace()
    await here.client.post(f"/v1/rules/{w}", json=HOT)
    await wrote(here, w, 1)
    assert (await here.client.post(f"/v1/rules/{w}/hot/pause")).status == 200
    await wrote(here, w, 2)
    assert (await here.client.post(f"/v1/rules/{w}/hot/resume")).status == 200
    await wrote(here, w, 3)
    await here.client.put(f"/v1/rules/{w}/hot", json={**HOT, "where": "n > 4"})
    await wrote(here, w, 4, 5)
    assert (await here.client.delete(f"/v1/rules/{w}/hot")).status == 204
    await wrote(here, w, 6)
    await here.client.post(f"/v1/rules/{w}", json=HOT)
    await wrote(here, w, 7)

    async def judged() -> None:
        found = [alert["event"]["n"] for alert in await listed(here, w)]  # type: ignore[index]
        assert found == [7, 5, 3, 1]

    await eventually(judged)
