"""Webhook receivers that hang, refuse, redirect or lie inside: the others get theirs, and writes go on."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.stage.broker import Client, running_broker
from tests.stage.collector import Collector
from tests.stage.house import House, house
from tests.stage.patience import eventually

pytestmark = pytest.mark.asyncio(loop_scope="module")

RULE = {"id": "hot", "on": "d", "where": "n > 0"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def here(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    async with house(tmp_path_factory.mktemp("receivers"), allow_private_targets=True) as running:
        yield running


async def subscribed(client: Client, workspace: str, url: str) -> str:
    made = await client.post(f"/v1/subscriptions/{workspace}", json={"kind": "webhook", "url": url})
    assert made.status == 201
    return str(made.json["id"])


async def deliveries(client: Client, workspace: str, subscription: str) -> list[dict[str, object]]:
    answer = await client.get(f"/v1/subscriptions/{workspace}/{subscription}/deliveries")
    assert answer.status == 200
    found: list[dict[str, object]] = answer.json
    return found


async def test_a_receiver_that_hangs_holds_up_no_other_and_no_write(here: House) -> None:
    w = here.workspace()
    with Collector() as slow, Collector() as quick:
        slow.hang(50)
        for receiver in (slow, quick):
            await subscribed(here.client, w, receiver.url)
        await here.client.post(f"/v1/rules/{w}", json=RULE)
        for n in range(1, 11):
            answer = await here.client.post(f"/v1/write/{w}/d", json={"n": n})
            assert answer.status == 200
        await eventually(lambda: len(quick.received) == 10)
        assert {hook.json["data"]["event"]["n"] for hook in quick.received} == set(range(1, 11))
        assert slow.received
        slow.release()


async def test_a_receiver_that_fails_is_tried_again_and_the_attempt_is_told(here: House) -> None:
    w = here.workspace()
    with Collector() as receiver:
        receiver.answer(500)
        subscription = await subscribed(here.client, w, receiver.url)
        await here.client.post(f"/v1/rules/{w}", json=RULE)
        await here.client.post(f"/v1/write/{w}/d", json={"n": 1})

        async def told() -> None:
            (one,) = await deliveries(here.client, w, subscription)
            assert (one["attempt"], one["status"]) == (1, 500)
            assert one["nextAt"] is not None

        await eventually(told)
        notification = receiver.received[0].id
        path = f"/v1/subscriptions/{w}/{subscription}/deliveries/{notification}/redeliver"
        assert (await here.client.post(path)).status == 200
        await eventually(lambda: receiver.ids() == [notification, notification])


async def test_who_is_disabled_is_not_delivered_to_again_until_enabled(here: House) -> None:
    w = here.workspace()
    with Collector() as receiver:
        subscription = await subscribed(here.client, w, receiver.url)
        await here.client.post(f"/v1/rules/{w}", json=RULE)
        await here.client.post(f"/v1/write/{w}/d", json={"n": 1})
        await eventually(lambda: len(receiver.received) == 1)
        path = f"/v1/subscriptions/{w}/{subscription}"
        again = f"{path}/deliveries/{receiver.received[0].id}/redeliver"
        assert (await here.client.patch(path, json={"disabled": True})).status == 200
        refused = await here.client.post(again)
        assert (refused.status, refused.json["code"]) == (409, "subscription_disabled")
        assert (await here.client.patch(path, json={"disabled": None})).status == 200
        assert (await here.client.post(again)).status == 200
        await eventually(lambda: len(receiver.received) == 2)


async def test_a_redirect_is_not_followed(here: House) -> None:
    w = here.workspace()
    with Collector() as inside, Collector() as receiver:
        receiver.always(302, {"Location": inside.url})
        subscription = await subscribed(here.client, w, receiver.url)
        await here.client.post(f"/v1/rules/{w}", json=RULE)
        await here.client.post(f"/v1/write/{w}/d", json={"n": 1})

        async def told() -> None:
            (one,) = await deliveries(here.client, w, subscription)
            assert one["status"] == 302

        await eventually(told)
        assert inside.received == []


async def test_gone_disables_the_subscription_and_no_other(here: House) -> None:
    w = here.workspace()
    with Collector() as gone, Collector() as there:
        gone.always(410)
        ids = [await subscribed(here.client, w, receiver.url) for receiver in (gone, there)]
        await here.client.post(f"/v1/rules/{w}", json=RULE)
        await here.client.post(f"/v1/write/{w}/d", json={"n": 1})

        async def disabled() -> None:
            answer = await here.client.get(f"/v1/subscriptions/{w}/{ids[0]}")
            assert answer.json["disabled"]

        await eventually(disabled)
        await here.client.post(f"/v1/write/{w}/d", json={"n": 2})
        await eventually(lambda: len(there.received) == 2)
        assert len(gone.received) == 1


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "[::1]", "0.0.0.0", "169.254.169.254", "2130706433", "127.1", "localhost"]
)
async def test_an_address_inside_is_422(host: str, strict: Client) -> None:
    body = {"kind": "webhook", "url": f"http://{host}:1234/"}
    answer = await strict.post("/v1/subscriptions/acme", json=body)
    assert (answer.status, answer.json["code"]) == (422, "target_refused")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def strict(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Client]:
    async with running_broker(tmp_path_factory.mktemp("strict")) as client:
        yield client
