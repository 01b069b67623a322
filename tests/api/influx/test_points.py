"""Points in their datasets: who they are, what becomes of a repeat, of types and of names."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.api.influx.lines import read, v2
from tests.stage.house import House, house
from tests.stage.patience import eventually

pytestmark = pytest.mark.asyncio(loop_scope="module")

T0 = "1970-01-01T00:00:00.000000001Z"
T1 = "1970-01-01T00:00:00.000000002Z"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def here(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    async with house(tmp_path_factory.mktemp("points")) as running:
        yield running


async def test_tags_and_fields_are_columns_and_the_time_has_nine_decimals(here: House) -> None:
    w = here.workspace()
    body = 'm,host=a f=1,i=2i,u=3u,b=t,s="x" 1630424257000000000\nm f=1e3 -1'
    assert (await v2(here, w, body)).status == 204
    assert await read(here, w, "b__m") == [
        {
            "time": "1969-12-31T23:59:59.999999999Z",
            "f": 1000.0,
            **dict.fromkeys(("host", "i", "u", "b", "s")),
        },
        {
            "time": "2021-08-31T15:37:37.000000000Z",
            "host": "a",
            "f": 1.0,
            "i": 2,
            "u": 3,
            "b": True,
            "s": "x",
        },
    ]


async def test_a_repeat_replaces_field_by_field(here: House) -> None:
    w = here.workspace()
    for body in ("m,t=a x=1,y=1 1", "m,t=a y=2,z=2 1", "m,t=a x=3 1\nm,t=b x=9 1\nm,t=a y=4 1"):
        assert (await v2(here, w, body)).status == 204
    assert sorted((r["t"], r["x"], r["y"], r["z"]) for r in await read(here, w, "b__m")) == [
        ("a", 3.0, 4.0, 2.0),
        ("b", 9.0, None, None),
    ]


async def test_of_points_that_are_one_in_a_body_the_later_line_counts_whatever_its_shape(here: House) -> None:
    w = here.workspace()
    assert (await v2(here, w, "m,t=a x=1 1\nm,t=a x=2,y=2 1\nm,t=a x=3 1\nm,t=a y=4 1")).status == 204
    assert await read(here, w, "b__m") == [{"time": T0, "t": "a", "x": 3.0, "y": 4.0}]


async def test_points_that_come_behind_those_stored_and_among_them_are_told_apart(here: House) -> None:
    w = here.workspace()
    for first, last, field in ((100, 200, "a"), (200, 300, "a"), (150, 350, "b"), (1, 120, "a")):
        body = "\n".join(f"m,t=x {field}={n} {n}" for n in range(first, last))
        assert (await v2(here, w, body)).status == 204
    found = {int(r["time"][-10:-1]): (r["a"], r["b"]) for r in await read(here, w, "b__m")}
    assert found == {
        n: (float(n) if n < 300 else None, float(n) if n >= 150 else None) for n in range(1, 350)
    }


async def test_a_tag_that_comes_later_joins_the_identity_and_leaves_earlier_points_theirs(
    here: House,
) -> None:
    w = here.workspace()
    assert (await v2(here, w, "m,host=a x=1 1")).status == 204
    assert (await v2(here, w, "m,host=a,rack=r x=2 1")).status == 204
    assert (await v2(here, w, "m,host=a y=3 1\nm,rack=r,host=a y=4 1")).status == 204
    found = {(r["host"], r["rack"]): (r["x"], r["y"]) for r in await read(here, w, "b__m")}
    assert found == {("a", None): (1.0, 3.0), ("a", "r"): (2.0, 4.0)}


async def test_unsigned_integers_are_stored_and_read_exactly(here: House) -> None:
    w = here.workspace()
    largest = 2**64 - 1
    assert (await v2(here, w, f"m u={largest}u 1\nm u=0u 2\nm u={2**63}u 3")).status == 204
    assert [r["u"] for r in await read(here, w, "b__m")] == [largest, 0, 2**63]
    assert (await v2(here, w, f"m u={largest - 1}u 1")).status == 204
    assert (await read(here, w, "b__m"))[0]["u"] == largest - 1
    refused = await v2(here, w, f"m u={largest + 1}u 1")
    assert (refused.status, refused.json["code"]) == (400, "invalid")


async def test_integers_are_stored_and_read_exactly(here: House) -> None:
    w = here.workspace()
    wanted = [2**63 - 1, -(2**63), 2**53 + 1]
    assert (await v2(here, w, "\n".join(f"m i={n}i {k}" for k, n in enumerate(wanted)))).status == 204
    assert [r["i"] for r in await read(here, w, "b__m")] == wanted


@pytest.mark.parametrize("body", ["m v=1i 1\nm v=2.5 2", "m v=1 1\nm v=2i 2"])
async def test_integers_and_floats_of_one_field_widen_to_numbers(here: House, body: str) -> None:
    w = here.workspace()
    assert (await v2(here, w, body)).status == 204
    assert all(isinstance(r["v"], float) for r in await read(here, w, "b__m"))
    other = here.workspace()
    for line in body.split("\n"):
        assert (await v2(here, other, line)).status == 204
    assert await read(here, other, "b__m") == await read(here, w, "b__m")


async def test_what_would_lose_digits_is_a_conflict_of_its_own_lines_only(here: House) -> None:
    w = here.workspace()
    assert (await v2(here, w, f"m v={2**60}i 1")).status == 204
    refused = await v2(here, w, "m v=0.5 2")
    assert (refused.status, refused.json["code"]) == (422, "unprocessable entity")
    other = here.workspace()
    partly = await v2(here, other, f"m v=0.5 1\nm v={2**60}i 2\nm v=7i 3")
    assert (partly.status, partly.json["line"]) == (422, 2)
    assert [r["v"] for r in await read(here, other, "b__m")] == [0.5, 7.0]


@pytest.mark.parametrize("value", ['"text"', "t", "1u"])
async def test_another_change_of_type_is_a_conflict(here: House, value: str) -> None:
    w = here.workspace()
    assert (await v2(here, w, "m,t=a v=1i 1")).status == 204
    refused = await v2(here, w, f"m,t=a v={value} 2")
    assert refused.status == 422
    assert refused.json["message"].startswith("failure writing points to database: field type conflict")
    assert "partial write" not in refused.json["message"]
    partly = await v2(here, w, f"m,t=a v={value} 2\nm,t=a v=2i 3")
    assert (partly.status, partly.json["errors"][0]["line"]) == (422, 1)
    assert "partial write: field type conflict" in partly.json["message"]
    assert [r["v"] for r in await read(here, w, "b__m")] == [1, 2]


async def test_a_key_that_is_tag_and_field_keeps_the_tag_and_the_field_stands_beside(here: House) -> None:
    w = here.workspace()
    assert (await v2(here, w, "m,x=a x=1,x_field=2 1")).status == 204
    assert await read(here, w, "b__m") == [{"time": T0, "x": "a", "x_field": 1.0, "x_field_field": 2.0}]
    assert (await v2(here, w, "m x=5 1\nm,x=a x=3 1")).status == 204
    assert {(r["x"], r["x_field"]) for r in await read(here, w, "b__m")} == {("a", 3.0), (None, 5.0)}
    assert (await v2(here, w, "n y=1 1")).status == 204
    assert (await v2(here, w, "n,y=a y=2 1")).status == 204
    assert {(r["y"], r["y_tag"]) for r in await read(here, w, "b__n")} == {(1.0, None), (2.0, "a")}


async def test_names_that_are_reserved_are_mapped_and_never_refused(here: House) -> None:
    w = here.workspace()
    assert (await v2(here, w, "m,time=a,_id=b time=1,_v=2,underscore_v=3 1")).status == 204
    assert await read(here, w, "b__m") == [
        {
            "time": T0,
            "time_tag": "a",
            "underscore_id": "b",
            "time_field": 1.0,
            "underscore_v": 2.0,
            "underscoreunderscore_v": 3.0,
        }
    ]


async def test_measurements_are_datasets_of_their_bucket_and_keep_their_names(here: House) -> None:
    w = here.workspace()
    body = "a\\ b x=1 1\nA_b x=2 1\ncpu x=3 1\nCPU x=4 1\n" + "l" * 80 + " x=5 1\né x=6 1"
    answer = await v2(here, w, body, bucket="my-bucket")
    assert answer.status == 204
    shown = (await here.client.get(f"/v1/datasets/{w}")).json["datasets"]
    names = {d["measurement"]: d["datasetId"] for d in shown}
    assert {d["bucket"] for d in shown} == {"my-bucket"}
    assert names["a b"] == "my_2D_bucket__a_20_b"
    assert names["A_b"] == "my_2D_bucket__A_5F_b"
    assert names["é"] == "my_2D_bucket___C3__A9_"
    assert names["cpu"] == "my_2D_bucket__cpu"
    assert names["CPU"].startswith("my_2D_bucket__CPU_") and names["CPU"] != names["cpu"]
    assert all(len(name) <= 64 for name in names.values())
    assert [r["x"] for r in await read(here, w, names["CPU"])] == [4.0]
    assert (await v2(here, w, "CPU x=5 2\ncpu x=6 2", bucket="my-bucket")).status == 204
    assert [r["x"] for r in await read(here, w, names["CPU"])] == [4.0, 5.0]
    told = (await here.client.get(f"/v1/writes/{answer.headers['Sluice-Write-Id']}")).json
    assert (told["state"], told["accepted"], told["inserted"], told["dataset"]) == ("stored", 6, 6, None)
    assert sorted(told["datasets"]) == sorted(names.values())


async def test_without_a_timestamp_the_arrival_counts_cut_to_the_unit(here: House) -> None:
    w = here.workspace()
    assert (await v2(here, w, "m v=1", precision="s")).status == 204
    assert (await v2(here, w, "n v=1 7\nn v=2 -7", precision="ms")).status == 204
    assert (await read(here, w, "b__m"))[0]["time"].endswith(".000000000Z")
    assert [r["time"] for r in await read(here, w, "b__n")] == [
        "1969-12-31T23:59:59.993000000Z",
        "1970-01-01T00:00:00.007000000Z",
    ]


async def test_json_and_line_protocol_meet_in_one_dataset_by_one_identity(here: House) -> None:
    w = here.workspace()
    assert (await v2(here, w, "m,t=a x=1 1")).status == 204
    records = [{"t": "a", "time": "1970-01-01T00:00:00.000000001Z", "y": 2.5}, {"time": T1, "x": 5}]
    merged = await here.client.post(f"/v1/write/{w}/b__m?duplicateKeyHandling=merge", json=records)
    assert (merged.status, merged.json["replaced"], merged.json["inserted"]) == (200, 1, 1)
    assert await read(here, w, "b__m") == [
        {"time": T0, "t": "a", "x": 1.0, "y": 2.5},
        {"time": T1, "t": None, "x": 5.0, "y": None},
    ]
    lacking = await here.client.post(f"/v1/write/{w}/b__m", json={"x": 1})
    assert (lacking.status, lacking.json["errors"][0]["code"]) == (422, "missing_key")


async def test_a_declared_dataset_checks_points_as_any_records(here: House) -> None:
    w = here.workspace()
    schema = {
        "type": "object",
        "properties": {
            "time": {"type": "string", "format": "date-time"},
            "x": {"type": "number", "maximum": 5},
        },
        "required": ["time"],
    }
    declared = {"datasetId": "b__m", "schema": schema, "columnMapping": {"key": "time"}, "mode": "strict"}
    assert (await here.client.post(f"/v1/datasets/{w}", json={"dataset": declared})).status == 201
    answer = await v2(here, w, "m x=1 1\nm x=9 2\nm x=2,y=3 3")
    assert (answer.status, [e["line"] for e in answer.json["errors"]]) == (422, [2, 3])
    assert [r["x"] for r in await read(here, w, "b__m")] == [1.0]


async def test_points_fire_the_rules(here: House) -> None:
    w = here.workspace()
    rule = {"id": "hot", "on": "b__m", "where": "temp > 30 && host == 'a'", "key": ["host"]}
    assert (await here.client.post(f"/v1/rules/{w}", json=rule)).status == 201
    assert (await v2(here, w, "m,host=a temp=29 1\nm,host=a temp=31 2\nm,host=b temp=99 3")).status == 204

    async def fired() -> bool:
        alerts = (await here.client.get(f"/v1/alerts/{w}")).json["alerts"]
        return [(a["key"], a["event"]["time"]) for a in alerts] == [({"host": "a"}, T1)]

    await eventually(fired)


async def test_points_that_are_only_published_make_nothing_and_fire_the_rules(here: House) -> None:
    w = here.workspace()
    rule = {"id": "hot", "on": "b__m", "where": "temp > 30"}
    assert (await here.client.post(f"/v1/rules/{w}", json=rule)).status == 201
    assert (await v2(here, w, "m,host=a temp=31 2", persist="false")).status == 204

    async def fired() -> bool:
        return len((await here.client.get(f"/v1/alerts/{w}")).json["alerts"]) == 1

    await eventually(fired)
    assert (await here.client.get(f"/v1/datasets/{w}")).json["datasets"] == []


async def test_a_point_whose_columns_are_too_many_is_refused_and_the_others_are_written(here: House) -> None:
    w = here.workspace()
    fields = ",".join(f"f{n}=1" for n in range(398))
    assert (await v2(here, w, f"m,t=a {fields} 1")).status == 204
    answer = await v2(here, w, "m,t=a f1=2 2\nm,t=a g=1 3")
    assert (answer.status, answer.json["line"]) == (422, 2)
    assert len(await read(here, w, "b__m")) == 2
