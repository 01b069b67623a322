"""A workspace called `Hidden` with one of everything, and callers of another who must not learn of it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from storage import quarantine
from storage.quarantine import Quarantined
from tests.security.rows import Row
from tests.stage.broker import Answer, Client
from tests.stage.collector import Collector
from tests.stage.house import House, house
from tests.stage.patience import eventually
from tests.stage.stored import write

SECRET_WORDS = ("Hidden", "vault", "burglary", "jewel")
TEXT = {"type": "string"}
COLUMNS = {"Hidden": {"k": TEXT, "s": TEXT, "jewel": TEXT}, "mine": {"k": TEXT, "s": TEXT}}


@dataclass(frozen=True)
class Theirs:
    """What the workspace `Hidden` has, and two callers of `mine`: its administrator and one of a dataset."""

    house: House
    ids: dict[str, str]
    write_id: str
    token_id: str
    admin: str
    of_dataset: str

    async def ask(self, method: str, path: str, token: str | None = None, **more: object) -> Answer:
        client: Client = self.house.client
        return await client.ask(method, path, token=token or self.admin, **more)


@asynccontextmanager
async def hidden(data: Path) -> AsyncIterator[Theirs]:
    """Run a broker in `data` with both workspaces in it."""
    async with house(data, allow_private_targets=True) as running:
        with Collector() as receiver:
            yield await furnished(running, receiver.url)


async def furnished(here: House, url: str) -> Theirs:
    """Give `Hidden` one of everything, and `mine` a dataset, a rule and tokens."""
    client = here.client
    for workspace, dataset in (("Hidden", "vault"), ("mine", "d")):
        schema = {"type": "object", "properties": COLUMNS[workspace]}
        body = {"datasetId": dataset, "schema": schema, "columnMapping": {"key": "k", "subkey": "s"}}
        assert (await client.post(f"/v1/datasets/{workspace}", json=body)).status == 201
    rule = {"id": "burglary", "on": "vault", "where": "jewel != ''", "key": ["k"], "message": "jewel gone"}
    assert (await client.post("/v1/rules/Hidden", json=rule)).status == 201
    made = await client.post("/v1/subscriptions/Hidden", json={"kind": "webhook", "url": url})
    record = {"k": "k", "s": "s", "jewel": "jewel"}
    wrote = await client.post("/v1/write/Hidden/vault", json=record, headers={"Idempotency-Key": "same"})
    token = await client.post("/v1/tokens", json={"workspace": "Hidden", "scopes": ["read"]})
    load = await client.post("/v1/data/Hidden/vault", data=b"k,s,jewel\nk,s,jewel\n")

    async def alerted() -> str:
        (alert,) = (await client.get("/v1/alerts/Hidden")).json["alerts"]
        return str(alert["id"])

    alert = await eventually(alerted)
    aside = Quarantined("Hidden", "vault", 1, "w", 0, "bad_text", "jewel", record, "0" * 32, 3, 0, 1)
    write(here.data, lambda c: quarantine.keep(c, [aside]))
    kept = (await client.get("/v1/quarantine/Hidden")).json["records"][0]["id"]
    mine = {}
    for dataset in (None, "d"):
        body = {"workspace": "mine", "scopes": ["admin"], "dataset": dataset}
        mine[dataset] = (await client.post("/v1/tokens", json=body)).json["token"]
    ids = {
        "alert": alert,
        "notification": alert,
        "rule": "burglary",
        "subscription": made.json["id"],
        "id": str(kept),
        "target": str(kept),
        "job_id": load.json["jobId"],
        "dataset": "vault",
        "key": "k",
        "subkey:path": "s",
    }
    return Theirs(here, ids, wrote.json["writeId"], token.json["id"], mine[None], mine["d"])


def blank(answer: Answer, *names: str) -> tuple[int, str, dict[str, str]]:
    """Return an answer without what the caller had named himself."""
    body = answer.body.decode()
    for name in sorted(names, key=len, reverse=True):
        body = body.replace(name, "…")
    headers = {k.lower(): v for k, v in answer.headers.items() if k.lower() not in ("content-length", "date")}
    return answer.status, body, headers


def tells(answer: Answer, *asked: str) -> list[str]:
    """Return the words of `Hidden` that an answer tells, less those that were in the question."""
    text = answer.body.decode() + str(answer.headers)
    return [word for word in SECRET_WORDS if word in text and not any(word in one for one in asked)]


def named(row: Row) -> list[str]:
    return [part.split("}")[0] for part in row.path.split("{")[1:]]
