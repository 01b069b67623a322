"""A few records, fast: every answer that the native door gives (the contract, section 2)."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.stage.house import House, house
from tests.stage.patience import eventually
from tests.stage.stored import catalogued

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def here(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    async with house(tmp_path_factory.mktemp("writing")) as running:
        yield running


async def test_record_answers_once_it_is_logged(here: House) -> None:
    w = here.workspace()
    answer = await here.client.post(f"/v1/record/{w}/d", json=[{"a": 1}, {"a": 2}, {"a": 3}])
    assert answer.status == 202
    assert answer.json == {
        "success": True,
        "message": "wrote 3 messages",
        "writeId": answer.json["writeId"],
        "ack": "logged",
        "accepted": 3,
        "rejected": 0,
    }
    await eventually(lambda: here.stored(w, "d") == [{"a": 1}, {"a": 2}, {"a": 3}])


async def test_write_answers_once_it_is_stored(here: House) -> None:
    w = here.workspace()
    answer = await here.client.post(f"/v1/write/{w}/d", json=[{"a": 1}, {"a": 2}])
    assert answer.status == 200
    told = {**answer.json, "writeId": None}
    assert told == {
        "success": True,
        "message": "wrote 2 messages",
        "writeId": None,
        "ack": "stored",
        "accepted": 2,
        "rejected": 0,
        "inserted": 2,
        "replaced": 0,
        "ignored": 0,
    }
    assert here.stored(w, "d") == [{"a": 1}, {"a": 2}]


async def test_one_object_is_a_write_of_one_record(here: House) -> None:
    w = here.workspace()
    answer = await here.client.post(f"/v1/write/{w}/d", json={"a": "x"})
    assert (answer.status, answer.json["inserted"]) == (200, 1)
    assert here.stored(w, "d") == [{"a": "x"}]


@pytest.mark.parametrize("kind", ["application/x-ndjson", "application/jsonl", "application/x-jsonl"])
async def test_ndjson_is_a_record_a_line(here: House, kind: str) -> None:
    w = here.workspace()
    body = b'{"a": 1}\r\n\n  {"a": 2}  \n{"a": 3}'
    answer = await here.client.post(
        f"/v1/write/{w}/d", data=body, headers={"Content-Type": f"{kind}; charset=utf-8"}
    )
    assert (answer.status, answer.json["inserted"]) == (200, 3)
    assert here.stored(w, "d") == [{"a": 1}, {"a": 2}, {"a": 3}]


@pytest.mark.parametrize("path", ["record", "write"])
@pytest.mark.parametrize("kind", ["application/json", "application/x-ndjson"])
async def test_no_records_are_a_write_of_none_and_make_nothing(here: House, path: str, kind: str) -> None:
    w = here.workspace()
    body = b"[]" if kind == "application/json" else b"\n"
    answer = await here.client.post(f"/v1/{path}/{w}/d", data=body, headers={"Content-Type": kind})
    assert answer.status == 200
    assert (answer.json["success"], answer.json["accepted"], answer.json["rejected"]) == (True, 0, 0)
    assert catalogued(here.data, w, "d") is None


async def test_some_refused_are_named_and_the_others_written(here: House) -> None:
    w = here.workspace()
    await here.client.post(f"/v1/write/{w}/d", json=[{"a": 1}])
    body = [{"a": 2}, {"a": "two"}, 7, {"a": 3, "_x": 1}, {"a": 4}]
    answer = await here.client.post(f"/v1/write/{w}/d", json=body)
    assert answer.status == 207
    assert (answer.json["success"], answer.json["message"]) == (True, "wrote 2 messages")
    assert (answer.json["ack"], answer.json["accepted"], answer.json["rejected"]) == ("stored", 2, 3)
    assert answer.json["inserted"] == 2
    assert [(e["index"], e["path"], e["code"], e["retriable"]) for e in answer.json["errors"]] == [
        (1, "/a", "wrong_type", False),
        (2, "", "not_an_object", False),
        (3, "/_x", "bad_field_name", False),
    ]
    assert all(set(e) == {"index", "path", "code", "message", "retriable"} for e in answer.json["errors"])
    assert here.stored(w, "d") == [{"a": 1}, {"a": 2}, {"a": 4}]


async def test_refusals_are_in_the_answer_of_a_write_that_does_not_wait(here: House) -> None:
    answer = await here.client.post(f"/v1/record/{here.workspace()}/d", json=[{"a": 1}, None, {"a": True}])
    assert (answer.status, answer.json["ack"], answer.json["accepted"]) == (207, "logged", 1)
    assert [(e["index"], e["code"]) for e in answer.json["errors"]] == [
        (1, "not_an_object"),
        (2, "wrong_type"),
    ]


async def test_bad_lines_and_refused_members_of_ndjson_share_one_count_of_lines(here: House) -> None:
    w = here.workspace()
    body = b'{"a": 1}\n{"a": \n[1]\n\n{"a": "x"}\n{"a": 2}\nnope\n{"a": 3, "_k": 1}\n'
    answer = await here.client.post(
        f"/v1/write/{w}/d", data=body, headers={"Content-Type": "application/x-ndjson"}
    )
    assert (answer.status, answer.json["accepted"], answer.json["rejected"]) == (207, 2, 5)
    assert [(e["index"], e["path"], e["code"]) for e in answer.json["errors"]] == [
        (1, "", "bad_line"),
        (2, "", "not_an_object"),
        (3, "/a", "wrong_type"),
        (5, "", "bad_line"),
        (6, "/_k", "bad_field_name"),
    ]
    assert here.stored(w, "d") == [{"a": 1}, {"a": 2}]


async def test_all_refused_is_422_and_makes_nothing(here: House) -> None:
    w = here.workspace()
    answer = await here.client.post(f"/v1/write/{w}/d", json=[1, "x", None])
    assert (answer.status, answer.json["code"], answer.json["success"]) == (422, "all_refused", False)
    assert (answer.json["accepted"], answer.json["rejected"]) == (0, 3)
    assert [e["index"] for e in answer.json["errors"]] == [0, 1, 2]
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert catalogued(here.data, w, "d") is None


async def test_all_lines_bad_is_422(here: House) -> None:
    answer = await here.client.post(
        f"/v1/record/{here.workspace()}/d", data=b"x\ny\n", headers={"Content-Type": "application/x-ndjson"}
    )
    assert (answer.status, answer.json["code"], answer.json["rejected"]) == (422, "all_refused", 2)
    assert [e["code"] for e in answer.json["errors"]] == ["bad_line", "bad_line"]


async def test_atomic_refuses_all_with_one(here: House) -> None:
    w = here.workspace()
    answer = await here.client.post(f"/v1/write/{w}/d?atomic=true", json=[{"a": 1}, {"a": 2}, 3])
    assert (answer.status, answer.json["code"]) == (422, "atomic_refused")
    assert (answer.json["accepted"], answer.json["rejected"]) == (0, 3)
    assert [e["index"] for e in answer.json["errors"]] == [2]
    assert here.stored(w, "d") == []
    answer = await here.client.post(f"/v1/write/{w}/d?atomic=true", json=[{"a": 1}, {"a": 2}])
    assert (answer.status, answer.json["inserted"]) == (200, 2)


async def test_an_atomic_write_that_is_refused_changes_no_schema(here: House) -> None:
    w = here.workspace()
    await here.client.post(f"/v1/write/{w}/d", json=[{"a": 1}])
    before = catalogued(here.data, w, "d")
    answer = await here.client.post(f"/v1/write/{w}/d?atomic=true", json=[{"a": 1, "b": 1}, {"a": "x"}])
    assert answer.status == 422
    assert catalogued(here.data, w, "d") == before


async def test_the_first_hundred_refusals_are_listed_and_all_counted(here: House) -> None:
    answer = await here.client.post(f"/v1/record/{here.workspace()}/d", json=[{"a": 1}, *([0] * 250)])
    assert (answer.status, answer.json["rejected"], len(answer.json["errors"])) == (207, 250, 100)
    assert [e["index"] for e in answer.json["errors"]] == list(range(1, 101))
