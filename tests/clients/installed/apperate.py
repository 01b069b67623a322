"""The vendor's own client for Apperate (`@apperate/iexjs`), installed by npm; the page's example with it."""

import json
from collections.abc import Iterator
from typing import Any
from urllib.request import Request, urlopen

import pytest

from tests.clients.broker import TOKEN, broker, until_stored
from tests.clients.installed.npm import folder, run
from tests.stage.examples import blocks
from tests.stage.patience import eventually_sync
from tests.stage.process import Broker

DAY = "2022-07-15"


@pytest.fixture(scope="module")
def running() -> Iterator[Broker]:
    with broker() as made:
        yield made


def asked(running: Broker, path: str, body: Any = None) -> Any:
    """Send a request, a POST where there is a body, and return its answer's JSON."""
    data = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json", "x-api-key": TOKEN}
    with urlopen(Request(running.url + path, data, headers), timeout=30) as answer:
        return json.loads(answer.read())


def told(running: Broker, deed: str) -> Any:
    return json.loads(run(running, "apperate.cjs", deed).strip().splitlines()[-1])


def test_it_writes_with_every_option_it_has(running: Broker) -> None:
    waited, logged, published, silent = told(running, "writes")
    for one in (waited, logged, published, silent):
        assert (one["success"], one["message"]) == (True, "wrote 1 messages")
    assert [one["ack"] for one in (waited, logged, silent)] == ["stored", "logged", "stored"]
    until_stored(running, "js", "news", [DAY] * 3, field="date")


def test_it_declares_replaces_reads_and_deletes_by_key(running: Broker) -> None:
    found = told(running, "keys")
    assert (found["ignored"]["ignored"], found["replaced"]["replaced"]) == (1, 1)
    assert [(one["make"], one["price"]) for one in found["found"]] == [("F", 4)]
    assert (found["all"], found["deleted"]["deleted"]) == (2, 1)
    assert found["shown"]["datasetId"] == "cars"
    assert "cars" in json.dumps(found["listed"])
    until_stored(running, "js", "cars", ["F"], field="make")


def test_it_loads_a_file_and_reads_its_job(running: Broker) -> None:
    found = told(running, "loads")
    assert found["done"]["message"] == "Ingestion job successful, 2 records ingested"
    assert (found["job"]["status"], found["job"]["ingested"]) == ("INGESTED", 2)
    assert found["done"]["jobId"] in json.dumps(found["jobs"])


def test_it_is_told_why_it_is_refused(running: Broker) -> None:
    found = told(running, "refusals")
    for name, code in (("token", "bad_token"), ("records", "all_refused"), ("dataset", "dataset_not_found")):
        assert code in found[name], found


def test_it_reads_and_deletes_the_rules_of_the_page(running: Broker) -> None:
    rule = {
        "ruleName": "Any that falls",
        "ruleSet": "ANYEVENT",
        "dataset": "quotes",
        "conditions": [["change", "<", 0]],
        "outputs": [{"method": "logs", "frequency": 60}],
    }
    made = asked(running, "/v1/rules/create", rule)["id"]
    asked(running, "/v1/write/default/quotes", [{"symbol": "GM", "change": -1}])

    def raised() -> None:
        assert asked(running, f"/v1/rules/output/{made}")

    eventually_sync(raised, 20)
    found = told(running, "rules")
    assert found["id"] == made
    (shown,) = found["shown"]
    assert (shown["name"], shown["isActive"], shown["sent"]) == ("Any that falls", True, 1)
    assert [alert["event"]["change"] for alert in found["output"]] == [-1]
    assert {"schema", "notificationTypes", "operators"} <= found["schema"].keys()
    assert [one["value"] for one in found["lookup"]] == ["quotes"]
    assert (found["deleted"]["success"], found["left"]) == (True, [])


def test_the_example_on_the_page_works_as_it_stands_there(running: Broker) -> None:
    (example,) = blocks("api/apperate/README.md", "cjs")
    words = {
        "http://HOST:8080": running.url,
        "SECRET_TOKEN": TOKEN,
        "WORKSPACE": "page",
        "DATASET_ID": "news",
    }
    for word, meaning in words.items():
        example = example.replace(word, meaning)
    (folder() / "example.cjs").write_text(example)
    assert run(running, "example.cjs") == "wrote 1 messages\n"
    until_stored(running, "page", "news", [DAY], field="date")
