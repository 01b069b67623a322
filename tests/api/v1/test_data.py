"""`GET /v1/data`: stored records, asked for (the contract, section 5)."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from yarl import URL

from tests.api.v1.asking import declared, quote, written
from tests.stage.house import House, house

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def here(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    async with house(tmp_path_factory.mktemp("data")) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def w(here: House) -> str:
    """A workspace with five quotes of two symbols."""
    workspace = here.workspace()
    await declared(here.client, workspace)
    await written(
        here.client,
        workspace,
        "quotes",
        quote("ABC", 1, 1),
        quote("ABC", 1, 2, price=2.5),
        quote("ABC", 2, 3, more={"x": [1, None]}),
        quote("XYZ", 1, 4),
        quote("XYZ", 1, 5),
    )
    return workspace


async def days(here: House, path: str) -> list[int]:
    """Return the days of the records that a path gives."""
    answer = await here.client.get(path)
    assert answer.status == 200, answer.body
    return [int(record["at"][8:10]) for record in answer.json]


async def test_the_newest_come_first_with_every_column(here: House, w: str) -> None:
    answer = await here.client.get(f"/v1/data/{w}/quotes")
    assert [r["at"][8:10] for r in answer.json] == ["05", "04", "03", "02", "01"]
    assert answer.json[2] == {
        **quote("ABC", 2, 3, price=None, more={"x": [1, None]}),
        "_id": answer.json[2]["_id"],
    }
    assert answer.headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("ABC", [3]),
        ("ABC?limit=10", [3, 2, 1]),
        ("ABC/1?limit=10", [2, 1]),
        ("ABC/2", [3]),
        ("nobody", []),
        ("ABC?from=2024-01-01", [3, 2, 1]),
        ("?limit=2", [5, 4]),
        ("?limit=2&offset=2", [3, 2]),
        ("?last=2", [5, 4]),
        ("?last=2&sort=asc", [4, 5]),
        ("?first=2", [1, 2]),
        ("?first=2&sort=DESC", [2, 1]),
        ("?first=2&offset=1", [2, 3]),
        ("?sort=asc", [1, 2, 3, 4, 5]),
        ("?sort=asc&limit=1", [1]),
        ("?from=2024-01-03&to=2024-01-04", [4, 3]),
        ("?to=2024-01-02T12:00:00Z", [2, 1]),
        ("?to=2024-01-02T11:59:59.999999999Z", [1]),
        ("?from=2024-01-04T12:00:00Z", [5, 4]),
        ("?from=1704369600000", [5, 4]),
        ("?from=2024-01-04T14:00:00+02:00", [5, 4]),
        ("?from=2024-02-01", []),
        ("XYZ?from=2024-01-01&to=2024-01-04", [4]),
        ("?on=2024-01-03", [3]),
        ("?range=2024", [5, 4, 3, 2, 1]),
        ("?range=Q22024", []),
        ("?range=ytd", []),
        ("ABC?on=2024-01-02", [2]),
        ("?where=price%3E1", [2]),
        ("?where=!(price%3E1)", []),
        ("?where=price==null%26%26symbol=='ABC'", [3, 1]),
        ("?where=has(more.x)", [3]),
        ("?where=has(more.x)||venue==1&limit=2&offset=1", [4, 3]),
        ("ABC?where=venue==1", [2, 1]),
        ("ABC?where=at%3E='2024-01-02'&sort=asc", [2, 3]),
        ("?where=symbol%20in%20['XYZ','no']&first=1", [4]),
        ("?where=venue==1&range=2024&last=2", [5, 4]),
    ],
)
async def test_a_key_a_range_and_a_count_select(here: House, w: str, path: str, expected: list[int]) -> None:
    dash = "" if path.startswith("?") else "/"
    assert await days(here, f"/v1/data/{w}/quotes{dash}{path}") == expected


async def test_names_match_without_case(here: House, w: str) -> None:
    assert await days(here, f"/v1/data/{w.upper()}/QUOTES/ABC") == [3]


@pytest.mark.parametrize(
    ("path", "named"),
    [
        ("?limit=0", "limit"),
        ("?limit=10001", "limit"),
        ("?limit=" + "9" * 40, "limit"),
        ("?last=-1", "last"),
        ("?first=1&last=1", "last and first"),
        ("?offset=-1", "offset"),
        ("?offset=99999999999999", "offset"),
        ("?sort=price", "sort"),
        ("?format=xml", "format"),
        ("?filter=symbol,nothing", "nothing"),
        ("?filter=_time", "_time"),
        ("?from=yesterday", "from"),
        ("?to=2024-13-01", "to"),
        ("?on=today", "on"),
        ("?range=7x", "range"),
        ("?range=7d&from=2024-01-01", "range"),
        ("?where=", "where"),
        ("?where=price%3E", "where"),
        ("?where=prise%3E1", "price"),
        ("?where=price=='a'", "where"),
        ("?where=" + "(" * 100, "where"),
        ("?where=" + "1" * 5000, "where"),
        ("/ABC,XYZ?limit=6000", "limit"),
        ("/ABC,XYZ?format=csv", "format"),
        ("/" + ",".join("AB" * 1001), "keys"),
        ("/ABC/one", "venue"),
        ("/ABC/99999999999999999999999", "venue"),
    ],
)
async def test_a_bad_value_is_refused_by_name(here: House, w: str, path: str, named: str) -> None:
    answer = await here.client.get(f"/v1/data/{w}/quotes{path}")
    assert (answer.status, answer.json["code"]) == (400, "bad_parameter")
    assert named in answer.json["detail"]


async def test_what_is_not_known_is_ignored_and_listed(here: House, w: str) -> None:
    answer = await here.client.get(f"/v1/data/{w}/quotes?calendar=true&dateField=at&limit=1")
    assert answer.status == 200
    assert answer.headers["Sluice-Ignored"] == "calendar, dateField"


async def test_a_filter_shows_just_those_columns(here: House, w: str) -> None:
    answer = await here.client.get(f"/v1/data/{w}/quotes/ABC?filter=more,symbol")
    assert [list(record) for record in answer.json] == [["more", "symbol"]]


async def test_csv_is_a_table(here: House, w: str) -> None:
    answer = await here.client.get(f"/v1/data/{w}/quotes/ABC?limit=2&format=csv&filter=symbol,price,more")
    assert answer.body == b'symbol,price,more\r\nABC,,"{""x"":[1,null]}"\r\nABC,2.5,\r\n'
    assert answer.headers["content-type"] == "text/csv; charset=utf-8; header=present"


async def test_ndjson_is_a_record_a_line(here: House, w: str) -> None:
    url = f"{here.client.url}/v1/data/{w}/quotes?first=2&format=ndjson&filter=symbol,venue"
    async with here.client.session.get(url, headers={"x-api-key": here.client.token}) as answer:
        text = await answer.text()
    assert text == '{"symbol":"ABC","venue":1}\n{"symbol":"ABC","venue":1}\n'


async def test_pages_neither_overlap_nor_leave_a_gap_where_times_are_equal(here: House) -> None:
    w = here.workspace()
    await written(here.client, w, "d", *({"n": n} for n in range(25)))
    found: list[int] = []
    for offset in range(0, 30, 10):
        answer = await here.client.get(f"/v1/data/{w}/d?limit=10&offset={offset}")
        found += [record["n"] for record in answer.json]
    assert sorted(found) == list(range(25))


async def test_without_a_date_column_arrival_is_shown_and_asked_for(here: House) -> None:
    w = here.workspace()
    await written(here.client, w, "d", {"n": 1})
    (record,) = (await here.client.get(f"/v1/data/{w}/d")).json
    assert set(record) == {"n", "_id", "_time"}
    path = f"/v1/data/{w}/d?from={record['_time']}&to={record['_time']}"
    assert (await here.client.get(path)).json == [record]


async def test_a_column_that_was_only_ever_null_reads_as_null(here: House) -> None:
    w = here.workspace()
    await written(here.client, w, "d", {"n": 1, "later": None})
    answer = await here.client.get(f"/v1/data/{w}/d?filter=n,later")
    assert answer.json == [{"n": 1, "later": None}]


async def test_values_come_back_as_they_were_sent(here: House) -> None:
    w = here.workspace()
    sent: dict[str, Any] = {
        "text": 'é"\\\n\u2028😀',
        "whole": -(2**63),
        "number": 0.1,
        "truth": False,
        "at": "2024-01-31T12:00:00.123456789+01:00",
        "nested": {"a": [1, {"b": None}], "": "x"},
        "list": [],
    }
    await written(here.client, w, "d", sent)
    (read,) = (await here.client.get(f"/v1/data/{w}/d?filter={','.join(sent)}")).json
    assert read == {**sent, "at": "2024-01-31T11:00:00.123456789Z"}


async def test_a_slash_in_a_key_is_sent_as_2f(here: House, w: str) -> None:
    await written(here.client, w, "quotes", quote("a/b", 1, 1))
    url = URL(f"{here.client.url}/v1/data/{w}/quotes/a%2Fb/1?token={here.client.token}", encoded=True)
    async with here.client.session.get(url) as answer:
        assert [record["symbol"] for record in await answer.json()] == ["a/b"]
    await here.client.delete(f"/v1/data/{w}/quotes?to=2024-01-01")


async def test_a_composite_key_is_not_asked_for_by_path(here: House) -> None:
    w = here.workspace()
    await declared(here.client, w, columnMapping={"key": ["symbol", "venue"]})
    answer = await here.client.get(f"/v1/data/{w}/quotes/ABC")
    assert answer.status == 400
    assert "where" in answer.json["detail"]


async def test_an_unknown_dataset_is_404_and_a_foreign_workspace_403(here: House, w: str) -> None:
    assert (await here.client.get(f"/v1/data/{w}/nothing")).json["code"] == "dataset_not_found"
    made = await here.client.post("/v1/tokens", json={"workspace": "elsewhere", "scopes": ["read"]})
    assert (await here.client.get(f"/v1/data/{w}/quotes", token=made.json["token"])).status == 403
    assert (await here.client.get(f"/v1/data/{w}/nothing", token=made.json["token"])).status == 403


async def test_several_keys_and_datasets_are_answered_by_dataset(here: House, w: str) -> None:
    def days(records: list[dict[str, Any]]) -> list[int]:
        return [int(record["at"][8:10]) for record in records]

    async def asked(rest: str) -> Any:
        url = URL(f"{here.client.url}/v1/data/{several}/{rest}&token={here.client.token}", encoded=True)
        async with here.client.session.get(url) as answer:
            return await answer.json()

    several = f"{w}_several"
    for name in ("one", "two"):
        await declared(here.client, several, datasetId=name)
        await written(here.client, several, name, quote("A", 1, 1), quote("A", 1, 2), quote("a,b", 1, 3))
    one = await asked("one/A,nobody,a%2Cb?x=1")
    assert {name: days(records) for name, records in one.items()} == {"one": [2, 3]}
    both = await asked("one,TWO,One/A,a%2Cb?limit=5&sort=asc&filter=at")
    assert {name: days(records) for name, records in both.items()} == {"one": [1, 2, 3], "TWO": [1, 2, 3]}
    assert both["one"][0] == {"at": "2024-01-01T12:00:00Z"}
    whole = await here.client.get(f"/v1/data/{several}/one,two?where=symbol=='A'&last=1")
    assert {name: days(records) for name, records in whole.json.items()} == {"one": [2], "two": [2]}
    missing = await here.client.get(f"/v1/data/{several}/one,three/A")
    assert (missing.status, missing.json["code"]) == (404, "dataset_not_found")
    assert "three" in missing.json["detail"]


async def test_a_token_of_one_dataset_asks_no_other_beside_it(here: House, w: str) -> None:
    await written(here.client, w, "other", {"n": 1})
    made = await here.client.post(
        "/v1/tokens", json={"workspace": w, "dataset": "quotes", "scopes": ["read"]}
    )
    token = made.json["token"]
    assert (await here.client.get(f"/v1/data/{w}/quotes?token={token}", token=token)).status == 200
    assert (await here.client.get(f"/v1/data/{w}/quotes,other", token=token)).status == 403
    assert (await here.client.get(f"/v1/data/{w}/other,quotes", token=token)).status == 403


@pytest.mark.parametrize("method", ["GET", "DELETE"])
@pytest.mark.parametrize(
    "rest",
    [
        "quotes/%00",
        "quotes/%ED%A0%80",
        "quotes/%ff%fe",
        "quotes/%",
        "quotes//",
        "quotes/a//b",
        "quotes/a/b/c",
        "%00/%00",
        "quotes/" + "k" * 8000,
        "quotes/A/" + "9" * 5000,
        "quotes?from=%00",
        "quotes?from=%F0%9F&to=%ED%A0%80",
        "quotes?to=" + "9" * 15,
        "quotes?to=-" + "9" * 15,
        "quotes?timeout=nan",
        "quotes/A?from=" + "9" * 5000,
        "quotes/A,B/1",
        "quotes,quotes/A,A",
        "quotes/,",
        "quotes,%00,%ff/A",
        "quotes?where=%00",
        "quotes?where=symbol=='%00'",
        "quotes?where=symbol=='%5Cu0000'||symbol=='%5CuD800'",
        "quotes?where=symbol=='%F0%9F'",
        "quotes?where=" + "!" * 3000 + "true",
        "quotes?where=" + "%7C%7C".join(["venue==1"] * 200),
        "quotes?where=venue%20in%20[" + ",".join(["1"] * 900) + "]",
        "quotes?range=99999y",
        "quotes?on=9999-99-99",
    ],
)
async def test_whatever_a_client_sends_is_answered_below_500(
    here: House, w: str, method: str, rest: str
) -> None:
    url = URL(f"{here.client.url}/v1/data/{w}_fuzz/{rest}", encoded=True)
    await written(here.client, f"{w}_fuzz", "quotes", quote("A", 1, 1))
    async with here.client.session.request(method, url, headers={"x-api-key": here.client.token}) as answer:
        assert answer.status < 500, await answer.text()
