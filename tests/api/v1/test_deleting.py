"""`DELETE /v1/data`: records deleted, in their place among the writes."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.api.v1.asking import declared, quote, written
from tests.stage.house import House, house
from tests.stage.lock import locked
from tests.stage.patience import eventually

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def here(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    async with house(tmp_path_factory.mktemp("deleting")) as running:
        yield running


async def with_quotes(here: House, **changed: object) -> str:
    w = here.workspace()
    await declared(here.client, w, **changed)
    quotes = [
        quote(symbol, venue, day) for symbol in ("ABC", "XYZ") for venue, day in ((1, 1), (1, 2), (2, 3))
    ]
    await written(here.client, w, "quotes", *quotes)
    return w


def left(here: House, w: str) -> list[tuple[str, int, str]]:
    return sorted((r["symbol"], r["venue"], r["at"][8:10]) for r in here.stored(w, "quotes"))


async def test_a_key_a_subkey_and_a_range_say_what_goes(here: House) -> None:
    w = await with_quotes(here)
    answer = await here.client.delete(f"/v1/data/{w}/quotes/ABC/1?from=2024-01-02")
    assert answer.status == 200
    assert answer.json == {"success": True, "deleted": 1, "writeId": answer.json["writeId"]}
    assert (await here.client.delete(f"/v1/data/{w}/quotes/XYZ")).json["deleted"] == 3
    assert left(here, w) == [("ABC", 1, "01"), ("ABC", 2, "03")]
    assert (await here.client.delete(f"/v1/data/{w}/quotes?to=2024-01-01")).json["deleted"] == 1
    assert left(here, w) == [("ABC", 2, "03")]
    assert (await here.client.delete(f"/v1/data/{w}/quotes/nobody")).json["deleted"] == 0


async def test_nothing_named_deletes_nothing(here: House) -> None:
    w = await with_quotes(here)
    answer = await here.client.delete(f"/v1/data/{w}/quotes")
    assert (answer.status, answer.json["code"]) == (400, "bad_parameter")
    assert len(left(here, w)) == 6


@pytest.mark.parametrize("unknown", ["last", "filter", "limit", "form", "Where"])
async def test_an_unknown_parameter_is_refused_by_name_and_deletes_nothing(here: House, unknown: str) -> None:
    w = await with_quotes(here)
    answer = await here.client.delete(f"/v1/data/{w}/quotes/ABC?{unknown}=2024-01-01")
    assert answer.status == 400
    assert repr(unknown) in answer.json["detail"]
    assert len(left(here, w)) == 6


async def test_two_parameters_of_one_name_delete_nothing(here: House) -> None:
    w = await with_quotes(here)
    answer = await here.client.delete(f"/v1/data/{w}/quotes?where=false&where=true")
    assert (answer.status, answer.json["code"]) == (400, "bad_parameter")
    assert len(left(here, w)) == 6


async def test_what_was_written_before_goes_and_what_is_written_after_stays(here: House) -> None:
    w = await with_quotes(here)
    calls = []
    for number in range(20):
        await here.client.post(f"/v1/record/{w}/quotes", json=[quote("ABC", number + 10, 1)])
        if number == 9:
            calls.append(asyncio.create_task(here.client.delete(f"/v1/data/{w}/quotes/ABC")))
            await asyncio.gather(*calls)
    await eventually(lambda: len(left(here, w)) == 13)
    assert [venue for symbol, venue, _ in left(here, w) if symbol == "ABC"] == list(range(20, 30))


async def test_a_delete_reaches_every_partition(here: House) -> None:
    w = await with_quotes(here, partitionBy=["symbol", "venue"])
    await written(here.client, w, "quotes", *(quote("many", n, 9) for n in range(60)))
    answer = await here.client.delete(f"/v1/data/{w}/quotes?from=2024-01-03")
    assert answer.json["deleted"] == 62
    told = await here.client.get(f"/v1/writes/{answer.json['writeId']}")
    assert (told.json["state"], told.json["deleted"]) == ("stored", 62)
    assert len(left(here, w)) == 4


async def test_an_idempotency_key_deletes_once(here: House) -> None:
    w = await with_quotes(here, partitionBy=["venue"])
    path, key = f"/v1/data/{w}/quotes/ABC?from=2024-01-01", {"Idempotency-Key": "once"}
    first = await here.client.delete(path, headers=key)
    await written(here.client, w, "quotes", quote("ABC", 1, 1))
    again = await here.client.delete(f"{path}&timeout=5", headers=key)
    assert first.json == again.json == {**first.json, "deleted": 3}
    assert len(left(here, w)) == 4
    other = await here.client.delete(f"/v1/data/{w}/quotes/ABC?from=2024-01-02", headers=key)
    assert (other.status, other.json["code"]) == (409, "idempotency_conflict")
    assert (await here.client.delete(path, headers={"Idempotency-Key": "x" * 256})).status == 400


async def test_an_idempotency_key_tells_keys_that_differ_in_case(here: House) -> None:
    w = await with_quotes(here)
    await written(here.client, w, "quotes", quote("abc", 1, 1))
    header = {"Idempotency-Key": "cased"}
    assert (await here.client.delete(f"/v1/data/{w}/quotes/abc", headers=header)).json["deleted"] == 1
    other = await here.client.delete(f"/v1/data/{w}/quotes/ABC", headers=header)
    assert (other.status, other.json["code"]) == (409, "idempotency_conflict")
    assert len(left(here, w)) == 6


async def test_a_condition_and_several_keys_say_what_goes(here: House) -> None:
    w = await with_quotes(here)
    path = f"/v1/data/{w}/quotes"
    assert (await here.client.delete(f"{path}?where=venue==2%26%26symbol=='ABC'")).json["deleted"] == 1
    assert (await here.client.delete(f"{path}/XYZ?where=size(symbol)==3%26%26venue==2")).json["deleted"] == 1
    assert left(here, w) == [("ABC", 1, "01"), ("ABC", 1, "02"), ("XYZ", 1, "01"), ("XYZ", 1, "02")]
    assert (await here.client.delete(f"{path}/ABC,XYZ,nobody?on=2024-01-02")).json["deleted"] == 2
    assert (await here.client.delete(f"{path}?where=price%3E1")).json["deleted"] == 0
    assert (await here.client.delete(f"{path}?range=2024&where=true")).json["deleted"] == 2


async def test_a_condition_is_looked_at_in_each_partition(here: House) -> None:
    w = await with_quotes(here, partitionBy=["symbol", "venue"])
    await written(here.client, w, "quotes", *(quote("many", n, 9) for n in range(60)))
    answer = await here.client.delete(f"/v1/data/{w}/quotes?where=venue%20%25%202==0%26%26symbol=='many'")
    assert answer.json["deleted"] == 30
    assert len(left(here, w)) == 36


@pytest.mark.parametrize(
    "rest",
    ["?where=prise==1", "?where=", "?where=venue", "?on=no", "?range=7", "/ABC?range=7d&on=2024-01-01"],
)
async def test_a_bad_value_deletes_nothing_and_leaves_its_key_free(here: House, rest: str) -> None:
    w = await with_quotes(here)
    header = {"Idempotency-Key": "bad"}
    answer = await here.client.delete(f"/v1/data/{w}/quotes{rest}", headers=header)
    assert (answer.status, answer.json["code"]) == (400, "bad_parameter")
    assert (await here.client.delete(f"/v1/data/{w}/quotes?where=true", headers=header)).json["deleted"] == 6


async def with_two(here: House) -> str:
    w = await with_quotes(here)
    await declared(here.client, w, datasetId="other", columnMapping={"key": "symbol"})
    await written(here.client, w, "other", quote("ABC", 1, 1), quote("XYZ", 1, 1))
    return w


async def test_several_datasets_are_deleted_from_in_one_call(here: House) -> None:
    w = await with_two(here)
    answer = await here.client.delete(f"/v1/data/{w}/quotes,other,QUOTES/ABC,XYZ?where=venue==1")
    told = answer.json["datasets"]
    assert answer.json == {"success": True, "deleted": 6, "datasets": told}
    assert {name: one["deleted"] for name, one in told.items()} == {"quotes": 4, "other": 2}
    assert left(here, w) == [("ABC", 2, "03"), ("XYZ", 2, "03")]
    assert here.stored(w, "other") == []
    for name, one in told.items():
        write = (await here.client.get(f"/v1/writes/{one['writeId']}")).json
        assert (write["state"], write["deleted"]) == ("stored", told[name]["deleted"])


@pytest.mark.parametrize("names", ["quotes,nothing", "nothing,quotes", "quotes,"])
async def test_where_one_dataset_is_not_there_nothing_is_deleted_from_any(here: House, names: str) -> None:
    w = await with_two(here)
    answer = await here.client.delete(f"/v1/data/{w}/{names}/ABC")
    assert answer.json["code"] in ("dataset_not_found", "bad_request")
    assert (len(left(here, w)), len(here.stored(w, "other"))) == (6, 2)


async def test_a_condition_that_one_dataset_can_not_answer_deletes_from_none(here: House) -> None:
    w = await with_two(here)
    await here.client.post(f"/v1/record/{w}/plain", json=[{"a": 1}])
    answer = await here.client.delete(f"/v1/data/{w}/quotes,plain?where=venue==1")
    assert (answer.status, answer.json["code"]) == (400, "bad_parameter")
    assert len(left(here, w)) == 6


async def test_a_token_of_one_dataset_deletes_from_no_other_beside_it(here: House) -> None:
    w = await with_two(here)
    wanted = {"workspace": w, "scopes": ["write"], "dataset": "other"}
    token = (await here.client.post("/v1/tokens", json=wanted)).json["token"]
    assert (await here.client.delete(f"/v1/data/{w}/other,quotes/ABC", token=token)).status == 403
    assert (len(left(here, w)), len(here.stored(w, "other"))) == (6, 2)


async def test_an_idempotency_key_deletes_once_from_each_of_several_datasets(here: House) -> None:
    w = await with_two(here)
    path, key = f"/v1/data/{w}/quotes,other/ABC", {"Idempotency-Key": "both"}
    first = await here.client.delete(path, headers=key)
    await written(here.client, w, "other", quote("ABC", 1, 1))
    again = await here.client.delete(path, headers=key)
    assert first.json == again.json == {**first.json, "deleted": 4}
    assert len(here.stored(w, "other")) == 2


async def test_what_refuses_all_of_several_datasets_is_said_as_of_one(here: House) -> None:
    w = await with_two(here)
    header = {"Idempotency-Key": "x" * 256}
    one, both = [
        await here.client.delete(f"/v1/data/{w}/{names}/ABC", headers=header)
        for names in ("quotes", "quotes,other")
    ]
    assert one.status == 400
    assert (both.status, both.json["detail"]) == (one.status, one.json["detail"])


async def test_a_delete_that_is_late_in_one_of_several_datasets_says_so_of_each(here: House) -> None:
    w = await with_two(here)
    with locked(here.data):
        answer = await here.client.delete(f"/v1/data/{w}/quotes,other/ABC?timeout=0.2")
    assert (answer.status, answer.json["code"]) == (504, "too_slow")
    told = answer.json["datasets"]
    assert {name: one["code"] for name, one in told.items()} == {"quotes": "too_slow", "other": "too_slow"}
    await eventually(lambda: (len(left(here, w)), len(here.stored(w, "other"))) == (3, 1), deadline=15)
    for one in told.values():
        assert (await here.client.get(f"/v1/writes/{one['writeId']}")).json["state"] == "stored"


async def test_deletes_of_one_key_at_the_same_time_are_one(here: House) -> None:
    w = await with_quotes(here)
    path, key = f"/v1/data/{w}/quotes/ABC", {"Idempotency-Key": "together"}
    answers = await asyncio.gather(*(here.client.delete(path, headers=key) for _ in range(8)))
    assert {(a.status, a.json["deleted"], a.json["writeId"]) for a in answers} == {
        (200, 3, answers[0].json["writeId"])
    }


async def test_a_delete_that_takes_too_long_says_so_and_is_done(here: House) -> None:
    w = await with_quotes(here)
    with locked(here.data):
        answer = await here.client.delete(f"/v1/data/{w}/quotes/ABC?timeout=0.2")
        assert (answer.status, answer.json["code"]) == (504, "too_slow")
        assert len(left(here, w)) == 6
    await eventually(lambda: len(left(here, w)) == 3, deadline=15)
    told = await here.client.get(f"/v1/writes/{answer.json['writeId']}")
    assert told.json["state"] == "stored"


async def test_it_needs_the_scope_write(here: House) -> None:
    w = await with_quotes(here)
    made = await here.client.post("/v1/tokens", json={"workspace": w, "scopes": ["read"]})
    assert (await here.client.delete(f"/v1/data/{w}/quotes/ABC", token=made.json["token"])).status == 403
    assert (await here.client.delete(f"/v1/data/{w}/nothing/ABC")).json["code"] == "dataset_not_found"
