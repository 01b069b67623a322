"""Which records are refused, by which code, at which place in them (the contract, sections 1 and 2)."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from tests.stage.broker import Answer
from tests.stage.columns import EVERY_TYPE
from tests.stage.house import House, house
from tests.stage.stored import declared

pytestmark = pytest.mark.asyncio(loop_scope="module")

TYPED = {
    "schema": {
        "type": "object",
        "properties": {
            **EVERY_TYPE,
            "id": {"type": "string"},
            "short": {"type": "string", "maxLength": 3},
            "a/b~c": {"type": ["integer", "null"]},
        },
    },
    "columnMapping": {"key": "id"},
    "mode": "strict",
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def here(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    async with house(tmp_path_factory.mktemp("refusals")) as running:
        declared(running.data, "typed", datasetId="d", **TYPED)
        yield running


async def sent(here: House, workspace: str, text: str, query: str = "") -> Answer:
    """Write `text` as it is, into the dataset `d`."""
    return await here.client.post(
        f"/v1/write/{workspace}/d{query}", data=text.encode(), headers={"Content-Type": "application/json"}
    )


def refused(answer: Answer) -> list[tuple[int, str, str]]:
    """Return (index, path, code) of what was refused."""
    return [(e["index"], e["path"], e["code"]) for e in answer.json["errors"]]


@pytest.mark.parametrize(
    ("member", "path", "code"),
    [
        ("7", "", "not_an_object"),
        ("null", "", "not_an_object"),
        ('"x"', "", "not_an_object"),
        ("[]", "", "not_an_object"),
        ("{}", "/id", "missing_key"),
        ('{"id": null}', "/id", "missing_key"),
        ('{"id": 1}', "/id", "wrong_type"),
        ('{"id": "x", "new": 1}', "/new", "unknown_field"),
        ('{"id": "x", "_new": 1}', "/_new", "bad_field_name"),
        ('{"id": "x", "": 1}', "/", "bad_field_name"),
        ('{"id": "x", "i": 1.5}', "/i", "wrong_type"),
        ('{"id": "x", "i": true}', "/i", "wrong_type"),
        ('{"id": "x", "i": "1"}', "/i", "wrong_type"),
        ('{"id": "x", "i": 9223372036854775808}', "/i", "number_out_of_range"),
        ('{"id": "x", "i": -9223372036854775809}', "/i", "number_out_of_range"),
        ('{"id": "x", "i": 1e19}', "/i", "number_out_of_range"),
        ('{"id": "x", "i": 1e300}', "/i", "number_out_of_range"),
        ('{"id": "x", "i": 123456789012345678901234567890}', "/i", "number_out_of_range"),
        ('{"id": "x", "n": 9007199254740993}', "/n", "number_out_of_range"),
        ('{"id": "x", "n": -9007199254740993}', "/n", "number_out_of_range"),
        ('{"id": "x", "n": "1"}', "/n", "wrong_type"),
        ('{"id": "x", "b": 1}', "/b", "wrong_type"),
        ('{"id": "x", "day": "2024-02-30"}', "/day", "bad_moment"),
        ('{"id": "x", "at": "yesterday"}', "/at", "bad_moment"),
        ('{"id": "x", "at": "3024-01-01T00:00:00Z"}', "/at", "bad_moment"),
        ('{"id": "x", "o": []}', "/o", "wrong_type"),
        ('{"id": "x", "l": {}}', "/l", "wrong_type"),
        ('{"id": "x", "short": "long"}', "/short", "schema_violation"),
        ('{"id": "x\\u0000y"}', "/id", "bad_text"),
        ('{"id": "x", "o": {"k\\u0000": 1}}', "/o", "bad_text"),
        ('{"id": "x", "l": [1, {"p/q~": "\\u0000"}]}', "/l/1/p~1q~0", "bad_text"),
        ('{"id": "x", "o": {"deep": [18446744073709551616]}}', "/o/deep/0", "number_out_of_range"),
        ('{"id": "x", "any": 36893488147419103232}', "/any", "number_out_of_range"),
        ('{"id": "x", "a/b~c": "no"}', "/a~1b~0c", "wrong_type"),
    ],
)
async def test_a_record_is_refused_by_its_code_and_the_place_in_it(
    here: House, member: str, path: str, code: str
) -> None:
    ok = here.workspace()
    answer = await sent(here, "typed", f'[{{"id": "{ok}"}}, {member}]')
    assert answer.status == 207
    assert refused(answer) == [(1, path, code)]
    stored = {record["id"] for record in here.stored("typed", "d")}
    assert ok in stored
    assert not stored & {"x", "x\x00y", "1"}


@pytest.mark.parametrize(
    "member",
    [
        '{"id": "x", "i": 9223372036854775807}',
        '{"id": "x", "i": -9223372036854775808}',
        '{"id": "x", "i": 1e18}',
        '{"id": "x", "n": 9007199254740992}',
        '{"id": "x", "n": 1.7976931348623157e308}',
        '{"id": "x", "any": 18446744073709551615}',
        '{"id": "\U0001f600\\ud83d\\ude00\\u00e9 \\u2028"}',
        '{"id": "x", "at": "2024-02-29T12:00:00.123456789+02:00"}',
        '{"id": "x", "o": {"\\u00e9": {"": null}}, "l": [null, [], {}]}',
        '{"id": "x", "_id": "mine", "_time": "2020-01-01T00:00:00Z"}',
        '{"id": "x", "i": null, "n": null, "b": null, "day": null, "at": null, "o": null, "l": null}',
    ],
)
async def test_what_lies_within_the_bounds_is_taken(here: House, member: str) -> None:
    answer = await sent(here, "typed", member.replace('"x"', f'"{here.workspace()}"', 1))
    assert (answer.status, answer.json["inserted"]) == (200, 1)


async def test_values_come_back_as_sent(here: House) -> None:
    w = here.workspace()
    declared(here.data, w, datasetId="d", **TYPED)
    record: dict[str, Any] = {
        "id": " \U0001f600é\u2028\t",
        "s": " \U0001f601 ",
        "i": -(2**63),
        "n": 0.1,
        "b": False,
        "day": "2024-02-29",
        "o": {"k": [1, 2.5, None, {"x": "y"}]},
        "l": [],
        "any": 2**64 - 1,
        "short": "",
        "a/b~c": 0,
    }
    answer = await sent(here, w, json.dumps({**record, "at": "2024-02-29T12:00:00.123456789+02:00"}))
    assert answer.status == 200
    assert here.stored(w, "d") == [{**record, "at": "2024-02-29T10:00:00.123456789Z"}]


async def test_of_a_repeated_json_key_the_last_wins(here: House) -> None:
    w = here.workspace()
    assert (await sent(here, w, '{"a": 1, "b": 2, "a": 3}')).status == 200
    assert here.stored(w, "d") == [{"a": 3, "b": 2}]


async def test_columns_that_differ_only_in_case_live_side_by_side(here: House) -> None:
    w = here.workspace()
    assert (await sent(here, w, '{"a": 1, "A": "x", "\\u00e9": 1, "\\u00c9": 2}')).status == 200
    assert here.stored(w, "d") == [{"a": 1, "A": "x", "é": 1, "É": 2}]


@pytest.mark.parametrize("name", ["a" * 256, "a b", "'; drop", '"', "?", "%s", ":x", "👍", "\t", "{0}", "c1"])
async def test_property_names_are_any_text_of_256_characters(here: House, name: str) -> None:
    w = here.workspace()
    answer = await sent(here, w, json.dumps([{name: 1}, {name: 2, "b": 1}]))
    assert (answer.status, answer.json["inserted"]) == (200, 2)
    assert [record[name] for record in here.stored(w, "d")] == [1, 2]


async def test_property_names_past_256_characters_are_refused(here: House) -> None:
    answer = await sent(here, here.workspace(), json.dumps([{"a": 1}, {"a" * 257: 1}]))
    assert [(i, code) for i, _, code in refused(answer)] == [(1, "bad_field_name")]


async def test_a_new_dataset_infers_and_then_evolves(here: House) -> None:
    w = here.workspace()
    body = [{"a": 1, "n": None}, {"a": 2.5, "n": "t"}, {"a": "x"}, {"b": [1]}, {"n": 1}]
    answer = await sent(here, w, json.dumps(body))
    assert refused(answer) == [(2, "/a", "wrong_type"), (4, "/n", "wrong_type")]
    none = {"a": None, "n": None, "b": None}
    assert here.stored(w, "d") == [{**none, "a": 1}, {**none, "a": 2.5, "n": "t"}, {**none, "b": [1]}]


async def test_an_integer_column_that_took_a_wide_value_never_becomes_number(here: House) -> None:
    w = here.workspace()
    await sent(here, w, '{"a": 9007199254740993}')
    answer = await sent(here, w, '[{"a": 1}, {"a": 1.5}]')
    assert refused(answer) == [(1, "/a", "wrong_type")]
    assert here.stored(w, "d") == [{"a": 9007199254740993}, {"a": 1}]


@pytest.mark.parametrize("query", ["", "?persist=false"])
async def test_a_record_larger_than_a_megabyte_is_refused_by_name(here: House, query: str) -> None:
    body = json.dumps([{"a": "x"}, {"a": "x" * (1024 * 1024 + 1)}])
    answer = await sent(here, here.workspace(), body, query)
    assert refused(answer) == [(1, "", "record_too_large")]


async def test_a_record_of_nearly_a_megabyte_is_stored(here: House) -> None:
    w = here.workspace()
    text = "é" * (512 * 1024 - 100)
    assert (await sent(here, w, json.dumps({"a": text}, ensure_ascii=False))).status == 200
    assert here.stored(w, "d") == [{"a": text}]


async def test_more_than_400_columns_are_refused(here: House) -> None:
    w = here.workspace()
    body = [{f"c{i}": i for i in range(400)}, {"one_more": 1}, {"c7": 1}]
    answer = await sent(here, w, json.dumps(body))
    assert refused(answer) == [(1, "/one_more", "too_many_columns")]
    answer = await sent(here, here.workspace(), json.dumps({f"c{i}": i for i in range(401)}))
    assert answer.status == 422
    assert answer.json["errors"][0]["code"] == "too_many_columns"


@pytest.mark.parametrize("query", ["", "?persist=false"])
async def test_nesting_past_64_is_refused(here: House, query: str) -> None:
    def nested(levels: int) -> str:
        return "[" * levels + "]" * levels

    body = f'[{{"a": {nested(63)}}}, {{"a": {nested(64)}}}, {{"a": {nested(900)}}}]'
    answer = await sent(here, here.workspace(), body, query)
    assert [(index, code) for index, _, code in refused(answer)] == [(1, "too_deep"), (2, "too_deep")]


@pytest.mark.parametrize(
    ("member", "code"),
    [
        ('{"a": 36893488147419103232}', "number_out_of_range"),
        ('{"a": {"b": [36893488147419103232]}}', "number_out_of_range"),
        ('{"a": "\\u0000"}', "bad_text"),
        ('{"a": {"\\u0000": 1}}', "bad_text"),
        ('{"\\u0000": 1}', "bad_field_name"),
        ('{"_a": 1}', "bad_field_name"),
        ("3", "not_an_object"),
    ],
)
@pytest.mark.parametrize("query", ["", "?persist=false"])
async def test_what_no_record_may_hold_is_refused_stored_or_not(
    here: House, member: str, code: str, query: str
) -> None:
    answer = await sent(here, here.workspace(), f'[{{"b": 1}}, {member}]', query)
    assert answer.status == 207
    assert [(index, given) for index, _, given in refused(answer)] == [(1, code)]


async def test_a_record_that_no_message_of_the_log_can_hold_is_named_and_not_told_to_come_again(
    here: House,
) -> None:
    w = here.workspace()
    numbers = b",".join([b"1e5"] * 250_000)  # four bytes each as JSON, nine in the log
    body = b'[{"a": [' + numbers + b']}, {"b": 1}]'
    answer = await here.client.post(f"/v1/write/{w}/d", data=body)
    assert answer.status == 207, answer.body
    assert [(e["index"], e["code"]) for e in answer.json["errors"]] == [(0, "record_too_large")]
    loaded = await here.client.post(f"/v1/data/{w}/d?wait=true", data=body)
    assert (loaded.status, loaded.json["message"]) == (200, "Ingestion job successful, 1 records ingested")
