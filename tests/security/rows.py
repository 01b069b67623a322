"""Every route there is, what it needs, and a request that shows who may pass without changing anything."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from fastapi.routing import APIRoute

from api import app as application
from api.health import Vitals
from api.influx.write import DOORS as LINES
from api.services import Services
from rules.token import Scope

OPEN = ("/health", "/ping", "/ready", "/metrics", "/openapi.json", "/docs", "/docs/errors")
"""What answers without a token (the contract, section 1)."""


@dataclass(frozen=True)
class Row:
    """A route. `dataset`: a token bound to the dataset in its path passes too; `bound`: one bound to any.

    `other` is a scope that does as well. `query`, `headers` and `body` make a request that whoever passes is
    then refused for, so that it may be sent with every token; a stream is left at once.
    """

    method: str
    path: str
    scope: Scope
    other: Scope | None = None
    dataset: bool = False
    bound: bool = False
    query: str = ""
    body: Any = None
    stream: bool = False
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return f"{self.method} {self.path}"


ROWS = (
    Row("POST", "/v1/record/{workspace}/{dataset}", "write", dataset=True, body="no record"),
    Row("POST", "/v1/write/{workspace}/{dataset}", "write", dataset=True, body="no record"),
    Row("GET", "/v1/alerts/{workspace}", "read", query="limit=0"),
    Row("GET", "/v1/alerts/{workspace}/stream", "read", stream=True),
    Row("GET", "/v1/alerts/{workspace}/{alert}", "read"),
    Row("POST", "/v1/alerts/{workspace}/{alert}/ack", "rules", body={"note": 1}),
    Row("GET", "/v1/data/{workspace}/{dataset}", "read", dataset=True),
    Row("GET", "/v1/data/{workspace}/{dataset}/{key}", "read", dataset=True),
    Row("GET", "/v1/data/{workspace}/{dataset}/{key}/{subkey:path}", "read", dataset=True),
    Row("DELETE", "/v1/data/{workspace}/{dataset}", "write", dataset=True, query="timeout=no"),
    Row("DELETE", "/v1/data/{workspace}/{dataset}/{key}", "write", dataset=True, query="timeout=no"),
    Row(
        "DELETE",
        "/v1/data/{workspace}/{dataset}/{key}/{subkey:path}",
        "write",
        dataset=True,
        query="timeout=no",
    ),
    Row("POST", "/v1/data/{workspace}/{dataset}", "write", dataset=True, query="wait=no"),
    Row("POST", "/v1/datasets/{workspace}", "admin", body=[]),
    Row("GET", "/v1/datasets/{workspace}", "read", query="limit=0"),
    Row("GET", "/v1/datasets/{workspace}/{dataset}", "read", dataset=True),
    Row("PATCH", "/v1/datasets/{workspace}/{dataset}", "admin", dataset=True, body=[]),
    Row("PUT", "/v1/datasets/{workspace}/{dataset}/{name}", "admin"),
    Row("DELETE", "/v1/datasets/{workspace}/{dataset}", "admin", dataset=True, query="timeout=no"),
    Row("POST", "/v1/generate-schema/{workspace}", "write", body="no record"),
    Row("GET", "/v1/events/{workspace}/stream", "read", stream=True),
    Row("GET", "/v1/events/{workspace}/{dataset}/stream", "read", dataset=True, stream=True),
    Row("GET", "/v1/jobs/{workspace}/ingest", "read", "write", bound=True, query="limit=0"),
    Row("GET", "/v1/jobs/{workspace}/ingest/{job_id}", "read", "write", bound=True),
    Row("GET", "/v1/jobs/{workspace}/ingest/{job_id}/invalid-records-log", "read", "write", bound=True),
    Row("DELETE", "/v1/jobs/{workspace}/ingest/{job_id}", "write", bound=True),
    Row("POST", "/v1/jobs/{workspace}/ingest/{job_id}/retry", "write", bound=True),
    Row("GET", "/v1/quarantine/{workspace}", "read", query="limit=0"),
    Row("GET", "/v1/quarantine/{workspace}/{dataset}", "read", dataset=True, query="limit=0"),
    Row("POST", "/v1/quarantine/{workspace}/{target}/redrive", "write", dataset=True),
    Row("DELETE", "/v1/quarantine/{workspace}/{id}", "write"),
    Row("POST", "/v1/rules/{workspace}", "rules", body=[]),
    Row("GET", "/v1/rules/{workspace}", "read"),
    Row("GET", "/v1/rules/{workspace}/{rule}", "read"),
    Row("GET", "/v1/rules/{workspace}/{rule}/instances", "read"),
    Row("PUT", "/v1/rules/{workspace}/{rule}", "rules", body=[]),
    Row("DELETE", "/v1/rules/{workspace}/{rule}", "rules"),
    Row("POST", "/v1/rules/{workspace}/{rule}/pause", "rules"),
    Row("POST", "/v1/rules/{workspace}/{rule}/resume", "rules"),
    Row("POST", "/v1/rules/{workspace}/test", "rules", body=[]),
    Row("POST", "/v1/rules/{workspace}/{rule}/test", "rules", body={}),
    Row("POST", "/v1/sql/{workspace}", "read", body=[]),
    Row("POST", "/v1/subscriptions/{workspace}", "rules", body=[]),
    Row("GET", "/v1/subscriptions/{workspace}", "read"),
    Row("GET", "/v1/subscriptions/{workspace}/{subscription}", "read"),
    Row("PATCH", "/v1/subscriptions/{workspace}/{subscription}", "rules", body=[]),
    Row("DELETE", "/v1/subscriptions/{workspace}/{subscription}", "rules"),
    Row("GET", "/v1/subscriptions/{workspace}/{subscription}/deliveries", "read"),
    Row("POST", "/v1/subscriptions/{workspace}/{subscription}/deliveries/{notification}/redeliver", "rules"),
)
"""Those whose path names the workspace."""

WITHOUT_WORKSPACE = (
    ("POST", "/v1/rules/create"),
    ("POST", "/v1/rules/pause"),
    ("POST", "/v1/rules/resume"),
    ("DELETE", "/v1/rules/{rule}"),
    ("GET", "/v1/rules"),
    ("GET", "/v1/rules/info/{rule}"),
    ("GET", "/v1/rules/output/{rule}"),
    ("GET", "/v1/rules/schema"),
    ("GET", "/v1/rules/lookup/{value}"),
    ("POST", "/v1/tokens"),
    ("GET", "/v1/tokens"),
    ("DELETE", "/v1/tokens/{token_id}"),
    ("GET", "/v1/writes/{write_id}"),
    ("POST", "/api/v2/write"),
    ("POST", "/write"),
    ("POST", "/api/v3/write_lp"),
    ("GET", "/api/v2/buckets"),
    ("GET", "/api/v2/orgs"),
    ("POST", "/query"),
    ("POST", "/dataload/postdata"),
    ("POST", "/Prod/dataload/postdata"),
    ("POST", "/dataload/v1/postdata"),
    ("POST", "/Prod/dataload/v1/postdata"),
    ("GET", "/dataload/{job_id}/status"),
    ("GET", "/Prod/dataload/{job_id}/status"),
)
"""Those whose rights depend on what they are asked for; each has tests of its own."""

NOTHING = {
    "key": "k",
    "name": "not-a-name",
    "subkey:path": "s",
    "alert": "a0nothing",
    "rule": "nothing",
    "subscription": "sub-nothing",
    "notification": "n0nothing",
    "id": "999999999",
    "job_id": "0" * 32,
}
"""Ids that nothing has."""


def path_of(row: Row, workspace: str, dataset: str, **names: str) -> str:
    """Return the row's path with these names in it; those not given are of nothing."""
    path = row.path
    given = {**NOTHING, "target": dataset, **names, "workspace": workspace, "dataset": dataset}
    for name, value in given.items():
        path = path.replace(f"{{{name}}}", value)
    assert "{" not in path, path
    return path


def every_route() -> set[tuple[str, str]]:
    """Return (method, path) of all that the application answers: the lane's doors and FastAPI's routes."""
    found = {("POST", f"{door}/{{workspace}}/{{dataset}}") for door in application.DOORS}
    found |= {("POST", path) for path in LINES}
    return found | set(_routes(application._rest(cast(Services, None), cast(Vitals, None)).routes))


def _routes(routes: Iterable[object]) -> Iterator[tuple[str, str]]:
    for route in routes:
        if (included := getattr(route, "original_router", None)) is not None:
            yield from _routes(included.routes)
        else:
            assert isinstance(route, APIRoute), f"{route} is neither the lane's nor an endpoint"
            yield from ((method, route.path) for method in route.methods)
