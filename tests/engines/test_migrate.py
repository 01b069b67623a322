"""`sluice migrate`: what an embedded broker had is there on Kafka and PostgreSQL, and goes on there."""

import asyncio
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import psycopg
import pytest

from infra.drain import alone, ends_of, left, open_alone
from infra.settings import load
from rules.envelope import EVENT, PERSIST, Origin
from storage import quarantine
from storage.quarantine import Quarantined
from tests.stage.events import streaming
from tests.stage.patience import eventually_sync
from tests.stage.process import HOUSE, Broker
from tests.stage.stored import write

TOKEN = "sk_of-a-broker-that-moves"
DEADLINE = 90.0

EVERY = {
    "datasetId": "every",
    "schema": {
        "type": "object",
        "properties": {
            "id": {"type": "string"},
            "whole": {"type": ["integer", "null"]},
            "unsigned": {"type": ["integer", "null"], "format": "uint64"},
            "number": {"type": ["number", "null"]},
            "yes": {"type": ["boolean", "null"]},
            "day": {"type": ["string", "null"], "format": "date"},
            "moment": {"type": ["string", "null"], "format": "date-time"},
            "text": {"type": ["string", "null"]},
            "nested": {"type": ["object", "null"]},
            "list": {"type": ["array", "null"]},
            "anything": {},
        },
        "required": ["id"],
    },
    "columnMapping": {"key": "id"},
}
RECORDS: list[dict[str, Any]] = [
    {"id": "nulls"},
    {"id": "zero", "whole": 0, "unsigned": 0, "number": -0.0, "yes": False, "text": "", "list": []},
    {
        "id": "largest",
        "whole": 2**63 - 1,
        "unsigned": 2**64 - 1,
        "number": 1.7976931348623157e308,
        "yes": True,
    },
    {"id": "smallest", "whole": -(2**63), "number": 5e-324, "anything": 2**64 - 1},
    {"id": "exact", "number": 0.1, "anything": 0.30000000000000004},
    {"id": "times", "day": "2024-02-29", "moment": "1970-01-01T00:00:00.000000001Z"},
    {"id": "late", "moment": "2261-12-31T23:59:59.999999999Z"},
    {"id": "text", "text": "tab\there\nline \\ back \\N \"quote\" 'one' {}, ü 🜚 \u200b", "anything": "\\."},
    {
        "id": "nested",
        "nested": {"a": [1, {"b": None, "ü": [True, 1.5]}], "": {}},
        "list": [[], [None], "\\n"],
    },
    {"id": "mixed", "anything": {"deep": [{"er": [0.5, -1, "x"]}]}},
]


def ask(broker: Broker, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
    connection = HTTPConnection("127.0.0.1", broker.port, timeout=60)
    try:
        own = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"} | headers
        sent = body if isinstance(body, bytes | None) else json.dumps(body)
        connection.request(method, path, sent, own)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read() or b"null")
    finally:
        connection.close()


def told(broker: Broker, path: str) -> Any:
    status, answer = ask(broker, "GET", path)
    assert status == 200, (path, answer)
    return answer


def command_of(data: Path, *arguments: str, **more: str) -> dict[str, Any]:
    """Return what `subprocess` takes to run `sluice migrate`."""
    own = {"SLUICE_ADMIN_TOKEN": TOKEN, "SLUICE_FREE_DISK": "1MB", "SLUICE_SESSION": "3s"}
    return {
        "args": [sys.executable, "-m", "infra.cli", "migrate", "--from", str(data), *arguments],
        "cwd": HOUSE,
        "env": {"PATH": "/usr/bin:/bin", **own, **more},
        "text": True,
    }


def migrate(data: Path, *arguments: str, **more: str) -> "subprocess.CompletedProcess[str]":
    asked = command_of(data, *arguments, **more)
    return subprocess.run(**asked, capture_output=True, timeout=300, check=False)


def another_database(pair: dict[str, str], name: str) -> str:
    """Make a database on the same server and return its address."""
    with psycopg.connect(pair["SLUICE_DATABASE"], autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return pair["SLUICE_DATABASE"].rpartition("/")[0] + f"/{name}"


def going_to(pair: dict[str, str]) -> list[str]:
    return ["--log", pair["SLUICE_LOG"], "--database", pair["SLUICE_DATABASE"]]


async def waits(data: Path) -> bool:
    """Return whether the log of a broker that was killed holds what is not applied."""
    log, store = await open_alone(alone(load({"data": data})))
    try:
        name, ends = log.identity, ends_of(log)
        return bool(store.read(lambda c: left(c, name, ends)).result(30))
    finally:
        store.close()
        await log.close()


class Before:
    """A broker's data directory with something of everything in it, and what was told of it."""

    def __init__(self, root: Path) -> None:
        self.data = root / "old"
        self.told: dict[str, Any] = {}
        self.keyed: dict[str, Any] = {}
        self.late = 0
        self.stream_id = ""
        self.token = ""
        self.attempts: list[Any] = []


def fill(broker: Broker, before: Before) -> None:
    """Have the broker take something of everything."""
    post = [
        ("/v1/datasets/acme", {"dataset": EVERY}),
        ("/v1/write/acme/every", RECORDS),
        ("/v1/rules/acme", {"id": "hot", "on": "readings", "where": "temp > 30", "key": ["station"]}),
        ("/v1/rules/acme", {"id": "idle", "on": "readings", "where": "temp > 99"}),
        ("/v1/rules/acme/idle/pause", None),
        # nobody listens there: the delivery stays due
        ("/v1/rules/acme", {"id": "rare", "on": "rarely", "where": "n > 0"}),
        ("/v1/subscriptions/acme", {"kind": "webhook", "url": "http://127.0.0.1:9/hook", "rules": ["rare"]}),
        ("/v1/write/acme/rarely", {"n": 1}),
        ("/v1/write/acme/readings", [{"station": f"s{n % 5}", "temp": n % 40, "n": n} for n in range(400)]),
        ("/v1/write/acme/ends", {"n": 1}),
        ("/v1/write/Other_One/Some_where", {"grün": "ja", "select": 1, "Select": 2}),
    ]
    for path, body in post:
        status, answer = ask(broker, "POST", path, body)
        assert status < 300, (path, answer)
    assert ask(broker, "PATCH", "/v1/datasets/acme/every", {"dataset": {"title": "Every type"}})[0] == 200
    assert ask(broker, "DELETE", "/v1/datasets/acme/ends")[0] == 200
    before.keyed = ask(
        broker, "POST", "/v1/write/acme/keyed", [{"n": 1}, {"n": {}}], **{"Idempotency-Key": "k1"}
    )[1]
    before.token = ask(broker, "POST", "/v1/tokens", {"workspace": "acme", "scopes": ["read"]})[1]["token"]
    _, job = ask(broker, "POST", "/v1/data/acme/loaded", b'{"n": 1}\n{"n": 2}\n{"n": "x"}\n')
    _, failed = ask(broker, "POST", "/v1/data/acme/loaded", b'[{"n": 1}, {"n"')

    def ended() -> None:
        for one in (job, failed):
            assert told(broker, one["jobUrl"])["endedAt"]

    def alerted() -> None:
        assert len(told(broker, "/v1/alerts/acme?limit=1000")["alerts"]) == 91

    eventually_sync(ended, DEADLINE)
    eventually_sync(alerted, DEADLINE)
    alert = told(broker, "/v1/alerts/acme")["alerts"][3]["id"]
    assert ask(broker, "POST", f"/v1/alerts/acme/{alert}/ack", {"note": "seen"})[0] == 200

    async def first_of_the_feed() -> str:
        async with streaming(f"{broker.url}/v1/alerts/acme/stream", TOKEN, "0") as stream:
            return (await stream.until(lambda sent: len(sent) >= 40, DEADLINE))[39].id

    before.stream_id = asyncio.run(first_of_the_feed())


PAGES = (
    "/v1/data/acme/every?limit=1000",
    "/v1/data/acme/readings?limit=1000",
    "/v1/data/acme/keyed",
    "/v1/data/acme/loaded",
    "/v1/data/acme/late?limit=10000",
    "/v1/data/other_one/some_where",
    "/v1/datasets/acme",
    "/v1/datasets/acme/every",
    "/v1/datasets/other_one",
    "/v1/rules/acme",
    "/v1/rules/acme/hot/instances",
    "/v1/alerts/acme?limit=1000",
    "/v1/quarantine/acme",
    "/v1/jobs/acme/ingest",
)


def pages(broker: Broker, before: Before) -> dict[str, Any]:
    found = {path: told(broker, path) for path in (*PAGES, f"/v1/writes/{before.keyed['writeId']}")}
    subscriptions = told(broker, "/v1/subscriptions/acme")
    found["subscriptions"] = subscriptions
    found["tokens"] = [one for one in told(broker, "/v1/tokens")["tokens"] if one.get("workspace")]
    return found


def aside(data: Path) -> None:
    """Set a record aside, as if its dataset had been gone."""
    origin = Origin(1, 0, 900, 0).text()
    one = Quarantined(
        "acme", "gone", 0, "w1", 0, "dataset_gone", "it was deleted", {"n": [1.5, None]}, origin,
        PERSIST | EVENT, 0, 1_700_000_000_000_000_000,
    )  # fmt: skip
    write(data, lambda c: quarantine.keep(c, [one]))


@pytest.fixture(scope="module")
def before() -> Iterator[Before]:
    """Data with a log that is not applied to its end; what a broker tells once it is."""
    root = Path(tempfile.mkdtemp(prefix="sluice-moved-"))
    made = Before(root)
    old = Broker(
        {"SLUICE_ADMIN_TOKEN": TOKEN, "SLUICE_FREE_DISK": "1MB", "SLUICE_ALLOW_PRIVATE_TARGETS": "on"}
    )
    try:
        with old:
            fill(old, made)
            old.stop()
            aside(old.data)
            while not asyncio.run(waits(old.data)):
                old.start()
                for _ in range(8):
                    batch = [{"n": made.late + n, "text": "x" * 300} for n in range(1_000)]
                    status, answer = ask(old, "POST", "/v1/record/acme/late", batch)
                    assert status == 202, answer
                    made.late += 1_000
                old.kill()
            shutil.copytree(old.data, made.data)
            old.start()

            def applied() -> None:
                assert len(told(old, "/v1/data/acme/late?limit=10000")) == made.late

            eventually_sync(applied, DEADLINE)
            made.told = pages(old, made)
            [subscription] = made.told["subscriptions"]["subscriptions"]
            made.attempts = told(old, f"/v1/subscriptions/acme/{subscription['id']}/deliveries")
        yield made
    finally:
        shutil.rmtree(root, ignore_errors=True)


@pytest.fixture(scope="module")
def moved(pair: dict[str, str], before: Before) -> Iterator[Broker]:
    """A broker on both engines, where the data were moved."""
    done = migrate(before.data, *going_to(pair))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "The log is applied first" in done.stdout
    own = {"SLUICE_ADMIN_TOKEN": TOKEN, "SLUICE_FREE_DISK": "1MB", "SLUICE_SESSION": "3s"}
    with Broker({**pair, **own}, ready_within=DEADLINE) as broker:
        yield broker


def test_everything_is_told_as_it_was_before(moved: Broker, before: Before) -> None:
    now = pages(moved, before)
    assert {path: now[path] == said for path, said in before.told.items()} == dict.fromkeys(before.told, True)
    assert len(before.told["/v1/data/acme/every?limit=1000"]) == len(RECORDS)
    assert len(before.told["/v1/quarantine/acme"]["records"]) >= 1


def test_a_keyed_write_repeated_is_the_write_it_was(moved: Broker, before: Before) -> None:
    body = [{"n": 1}, {"n": {}}]
    status, again = ask(moved, "POST", "/v1/write/acme/keyed", body, **{"Idempotency-Key": "k1"})
    assert status == 207
    assert again == before.keyed
    assert told(moved, "/v1/data/acme/keyed") == before.told["/v1/data/acme/keyed"]


def test_writes_go_on_with_ids_and_numbers_that_were_never_given(moved: Broker, before: Before) -> None:
    known = {record["_id"] for record in told(moved, "/v1/data/acme/readings?limit=1000")}
    status, _ = ask(moved, "POST", "/v1/write/acme/readings", [{"station": "new", "temp": 39, "n": 1_000}])
    assert status == 200
    fresh = {record["_id"] for record in told(moved, "/v1/data/acme/readings?limit=1000")} - known
    assert len(fresh) == 1
    assert ask(moved, "POST", "/v1/write/acme/made_after", {"n": 1})[0] == 200
    _, job = ask(moved, "POST", "/v1/data/acme/loaded", b'{"n": 7}\n')

    def ended() -> None:
        assert told(moved, job["jobUrl"])["status"] == "INGESTED"

    eventually_sync(ended, DEADLINE)
    shown = [one["jobId"] for one in told(moved, "/v1/jobs/acme/ingest")["jobs"]]
    assert shown[0] == job["jobId"]
    assert len(shown) == len(set(shown)) == 3


def test_rules_stay_in_force_and_the_feed_goes_on_where_it_was(moved: Broker, before: Before) -> None:
    assert (
        ask(moved, "POST", "/v1/write/acme/readings", [{"station": "feed", "temp": 38, "n": 2_000}])[0] == 200
    )

    async def rest() -> list[str]:
        async with streaming(f"{moved.url}/v1/alerts/acme/stream", TOKEN, before.stream_id) as stream:
            sent = await stream.until(
                lambda sent: "feed" in json.dumps(sent[-1].data) if sent else False, DEADLINE
            )
            return [one.id for one in sent]

    ids = asyncio.run(rest())
    assert len(ids) == len(set(ids)) >= 90 - 40 + 1
    assert "idle" not in {alert["rule"] for alert in told(moved, "/v1/alerts/acme?limit=1000")["alerts"]}


def test_a_token_made_before_is_known_and_the_subscription_is_still_owed(
    moved: Broker, before: Before
) -> None:
    mine = {"Authorization": f"Bearer {before.token}"}
    assert ask(moved, "GET", "/v1/data/acme/every", **mine)[0] == 200
    assert ask(moved, "GET", "/v1/data/other_one/some_where", **mine)[0] == 403
    [subscription] = before.told["subscriptions"]["subscriptions"]
    told_before = before.attempts
    assert told_before
    now = told(moved, f"/v1/subscriptions/acme/{subscription['id']}/deliveries")
    assert [one for one in told_before if one["attempt"] == 1 and one not in now] == []


def test_the_bytes_of_a_failed_load_stayed_in_the_old_log(moved: Broker) -> None:
    failed = next(one for one in told(moved, "/v1/jobs/acme/ingest")["jobs"] if one["status"] == "ERROR")
    status, answer = ask(moved, "POST", f"/v1/jobs/acme/ingest/{failed['jobId']}/retry")
    assert 400 <= status < 500, answer


def test_a_target_that_is_not_empty_is_refused_by_name(
    moved: Broker, pair: dict[str, str], before: Before
) -> None:
    again = migrate(before.data, *going_to(pair))
    assert again.returncode == 1
    assert "has the table 'alembic_version' already" in again.stderr
    other = another_database(pair, "other_one")
    taken = migrate(before.data, "--log", pair["SLUICE_LOG"], "--database", other)
    assert taken.returncode == 1
    assert "holds messages already" in taken.stderr
    with psycopg.connect(other) as connection:
        query = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
        assert connection.execute(query).fetchone() == (0,)


def test_what_it_can_not_move_is_said_in_a_sentence(pair: dict[str, str], tmp_path: Path) -> None:
    nothing = migrate(tmp_path, *going_to(pair))
    assert (nothing.returncode, "There is no broker's data in" in nothing.stderr) == (1, True)
    nowhere = migrate(tmp_path)
    assert (nowhere.returncode, "Name where it goes" in nowhere.stderr) == (2, True)
    half = migrate(tmp_path, "--log", pair["SLUICE_LOG"])
    assert half.returncode == 2


def test_a_broker_that_runs_is_not_moved(pair: dict[str, str]) -> None:
    database = another_database(pair, "of_one_that_runs")
    with Broker({"SLUICE_ADMIN_TOKEN": TOKEN, "SLUICE_FREE_DISK": "1MB"}) as running:
        where = ["--log", pair["SLUICE_LOG"], "--database", database]
        refused = migrate(running.data, *where, SLUICE_KAFKA_PREFIX="runs")
    assert refused.returncode == 1
    assert "is open in process" in refused.stderr


def has_moved(database: str) -> bool:
    with psycopg.connect(database) as connection:
        found = connection.execute("SELECT to_regclass('notification')").fetchone()
    return found != (None,)


def test_a_move_that_is_killed_leaves_nothing_and_may_be_begun_again(
    pair: dict[str, str], before: Before, tmp_path: Path
) -> None:
    data = tmp_path / "old"
    shutil.copytree(before.data, data)
    database = another_database(pair, "of_one_that_is_killed")
    where = ["--log", pair["SLUICE_LOG"], "--database", database]
    killed = 0
    for moment in (1.0, 1.5, 2.0, 2.5):
        with subprocess.Popen(**command_of(data, *where, SLUICE_KAFKA_PREFIX="killed")) as process:
            try:
                process.wait(timeout=moment)
            except subprocess.TimeoutExpired:
                process.kill()
                killed += 1
        if has_moved(database):  # done, or killed when it was: there is nothing between the two
            break
    assert killed
    if not has_moved(database):
        done = migrate(data, *where, SLUICE_KAFKA_PREFIX="killed")
        assert done.returncode == 0, done.stderr
    with psycopg.connect(database) as connection:
        counted = connection.execute("SELECT count(*) FROM notification").fetchone()
    assert counted is not None
    assert counted[0] >= 91
