"""Processes that are killed: others go on with what they did, and nothing is done by nobody."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from time import monotonic

import pytest

from streams.topics import dataset_partition
from tests.engines.quartet import Quartet, ask, process, quartet
from tests.stage.collector import Collector
from tests.stage.patience import eventually_sync
from tests.stage.postgres import run

DEADLINE = 90.0
PARTITIONS = 8
SERVED_WITHIN = 15.0
"""Seconds from the SIGKILL of a worker until its partitions are served, at a session of 6 s as unless set."""


@pytest.fixture(scope="module")
def four(pair: dict[str, str]) -> Iterator[Quartet]:
    with quartet(pair) as running:
        yield running


def one_in_each_partition(workspace: str) -> list[str]:
    names = {dataset_partition(workspace, f"d{n}", PARTITIONS): f"d{n}" for n in range(200)}
    assert len(names) == PARTITIONS
    return list(names.values())


@pytest.mark.parametrize("victim", [0, 1])
def test_a_killed_workers_partitions_are_served_again_within_fifteen_seconds(
    four: Quartet, victim: int
) -> None:
    names = one_in_each_partition("killed")
    for name in names:
        assert ask(four.apis[0], "POST", f"/v1/write/killed/{name}", [{"n": victim}])[0] == 200

    def served(name: str) -> float:
        status, answer = ask(
            four.apis[1], "POST", f"/v1/write/killed/{name}?timeout=60", [{"n": 2 + victim}], timeout=70
        )
        assert (status, answer["ack"]) == (200, "stored"), answer
        return monotonic() - begin

    begin = monotonic()
    four.workers[victim].kill()
    with ThreadPoolExecutor(PARTITIONS) as senders:
        took = sorted(senders.map(served, names))
    print(f"\n  partitions served again after {', '.join(f'{each:.1f}' for each in took)} s")
    assert took[-1] < SERVED_WITHIN
    assert took[0] < took[-1] / 2, "some were the other's, and served all along"
    four.workers[victim].start()


def test_the_load_of_a_killed_worker_is_taken_up_by_another_and_stored_once(four: Quartet) -> None:
    records = 300_000  # so many that a quick machine is seen at it
    body = b"n\n" + b"".join(b"%d\n" % n for n in range(records))
    status, made = ask(four.apis[0], "POST", "/v1/data/taken/d", body)
    assert status == 202
    eventually_sync(lambda: 0.5 < ask(four.apis[0], "GET", made["jobUrl"])[1]["progress"] < 1, DEADLINE)
    # one of the two works at it; after both have died in turn, one of them at its work, it must be done
    four.workers[0].kill()
    four.workers[0].start()
    four.workers[1].kill()
    four.workers[1].start()
    eventually_sync(
        lambda: ask(four.apis[1], "GET", made["jobUrl"])[1]["status"] == "INGESTED", DEADLINE, every=0.3
    )
    job = ask(four.apis[1], "GET", made["jobUrl"])[1]
    assert (job["ingested"], job["inserted"]) == (records, records)
    found: list[int] = []
    while page := ask(four.apis[0], "GET", f"/v1/data/taken/d?limit=10000&offset={len(found)}")[1]:
        found += [row["n"] for row in page]
    assert sorted(found) == list(range(records))


def test_what_a_killed_courier_held_is_delivered_by_another_under_the_same_id(four: Quartet) -> None:
    with Collector() as collector:
        rule = {"id": "all", "on": "d", "where": "n >= 0"}
        assert ask(four.apis[0], "POST", "/v1/rules/owed", rule)[0] == 201
        hook = {"kind": "webhook", "url": collector.url}
        assert ask(four.apis[0], "POST", "/v1/subscriptions/owed", hook)[0] == 201
        collector.hang(times=8)
        assert ask(four.apis[0], "POST", "/v1/write/owed/d", [{"n": n} for n in range(8)])[0] == 200
        eventually_sync(lambda: len(collector.received) >= 8, DEADLINE)
        for worker in four.workers:  # whichever holds them
            worker.kill()
        four.workers[0].start()
        eventually_sync(lambda: len(collector.received) >= 16, DEADLINE)
        assert len(set(collector.ids())) == 8
        four.workers[1].start()


def test_the_first_process_makes_the_administrators_token_and_others_leave_it(pair: dict[str, str]) -> None:
    made = {**pair, "SLUICE_KAFKA_PREFIX": "crowned", "SLUICE_DATABASE": pair["SLUICE_DATABASE"] + "_crowned"}
    run(pair["SLUICE_DATABASE"], "CREATE DATABASE sluice_crowned")
    first, second, worker = process("api", made), process("api", made), process("work", made)
    for one in (first, second, worker):
        del one.env["SLUICE_ADMIN_TOKEN"]
    try:
        for one in (first, second, worker):
            one.start()
        token = (first.data / "admin-token").read_text().strip()
        assert not (second.data / "admin-token").exists() and not (worker.data / "admin-token").exists()
        for api in (first, second):
            assert ask(api, "GET", "/v1/tokens", token=token)[0] == 200
        first.restart()
        second.restart()
        assert ask(second, "GET", "/v1/tokens", token=token)[0] == 200
        second.restart({"SLUICE_ADMIN_TOKEN": "sk_another"})
        eventually_sync(lambda: ask(first, "GET", "/v1/tokens", token="sk_another")[0] == 200, 1.5)
        assert ask(first, "GET", "/v1/tokens", token=token)[0] == 401
    finally:
        for one in (first, second, worker):
            one.close()
