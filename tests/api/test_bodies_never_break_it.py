"""Whatever a caller sends, it is answered, in time, and never with a 500; what was accepted is stored."""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator, Mapping
from typing import Any
from urllib.parse import quote

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from yarl import URL

from tests.stage.broker import Answer
from tests.stage.house import House, house

pytestmark = pytest.mark.asyncio(loop_scope="module")

LONGEST = 15.0
quickly = settings(
    max_examples=35,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

texts = st.text(max_size=12) | st.sampled_from(
    ["", "_id", "_time", "_x", "\x00", "a\x00b", "\ud800", "2024-01-01", "2024-01-01T00:00:00Z", "9" * 400]
)
numbers = (
    st.integers()
    | st.floats()
    | st.sampled_from([2**53 + 1, 2**63, -(2**63) - 1, 2**64 - 1, 2**64, 10**400, -0.0, 1e308, 5e-324])
)
scalars = st.none() | st.booleans() | numbers | texts
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)
records = st.dictionaries(texts | st.sampled_from(["a", "b", "c"]), values, max_size=5)
members = records | records | values
bodies = st.lists(members, max_size=6).map(lambda sent: json.dumps(sent).encode("utf-8"))


@st.composite
def broken(draw: st.DrawFn) -> bytes:
    """A body with a few bytes left out or put in."""
    body = bytearray(draw(bodies))
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(body)))
        body[at : at + draw(st.integers(0, 3))] = draw(st.binary(max_size=3))
    return bytes(body)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def here(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    async with house(tmp_path_factory.mktemp("unbroken")) as running:
        yield running


async def asked(
    here: House, method: str, path: str, headers: Mapping[str, str], body: bytes | None = None
) -> Answer:
    """Send a request as it is, and return its answer, which has to come in time."""
    url = URL(here.client.url + path, encoded=True)
    async with asyncio.timeout(LONGEST):
        async with here.client.session.request(method, url, headers=headers, data=body) as answer:
            told = await answer.read()
            shown = json.loads(told) if "json" in answer.content_type and told else None
            return Answer(answer.status, answer.headers, told, shown)


def sound(answer: Answer) -> None:
    """Check that an answer is one a caller may be given for what it sent."""
    assert answer.status < 500 or answer.status == 503, (answer.status, answer.body)
    if answer.status >= 400:
        assert answer.json["status"] == answer.status
        assert answer.json["code"] != "internal"
        assert answer.headers["Content-Type"] == "application/problem+json"
    if answer.status == 503:
        assert answer.headers["Retry-After"].isdigit()


def mine(here: House, **headers: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {here.client.token}", **headers}


async def unharmed(here: House) -> None:
    """Check that every part still works."""
    ready = await asked(here, "GET", "/ready", {})
    assert (ready.status, ready.json["status"]) == (200, "ready")


@given(body=bodies, persist=st.booleans())
@settings(quickly, max_examples=30)
async def test_any_json_is_answered_and_what_was_accepted_is_stored(
    here: House, body: bytes, persist: bool
) -> None:
    w = here.workspace()
    path = f"/v1/write/{w}/d" + ("" if persist else "?persist=false")
    answer = await asked(here, "POST", path, mine(here), body)
    sound(answer)
    assert answer.status in (200, 207, 400, 422), answer.body
    if answer.status in (200, 207):
        count = len(json.loads(body))
        assert answer.json["accepted"] + answer.json["rejected"] == count
        assert len(here.stored(w, "d")) == (answer.json["accepted"] if persist else 0)
        assert len({e["index"] for e in answer.json.get("errors", ())}) == answer.json["rejected"]


@given(sent=st.lists(st.tuples(bodies, st.sampled_from(["", "?duplicateKeyHandling=merge"])), max_size=4))
@settings(quickly, max_examples=15)
async def test_writes_one_after_another_into_one_dataset_store_what_they_accept(
    here: House, sent: list[tuple[bytes, str]]
) -> None:
    w, accepted = here.workspace(), 0
    for body, query in sent:
        answer = await asked(here, "POST", f"/v1/write/{w}/d{query}", mine(here), body)
        sound(answer)
        accepted += answer.json["accepted"] if answer.status in (200, 207) else 0
    assert len(here.stored(w, "d")) == accepted


@given(
    body=broken() | st.binary(max_size=40),
    kind=st.sampled_from(["application/json", "application/x-ndjson", "", "text/csv", "a/b+json", ";", "é"]),
    encoding=st.sampled_from(["", "gzip", "deflate", "identity", "br"]),
    pack=st.booleans(),
)
@quickly
async def test_any_bytes_are_answered(here: House, body: bytes, kind: str, encoding: str, pack: bool) -> None:
    packed = gzip.compress(body) if pack and encoding == "gzip" else body
    headers = mine(here, **{"Content-Type": kind}) | ({"Content-Encoding": encoding} if encoding else {})
    sound(await asked(here, "POST", "/v1/write/bytes/d", headers, packed))


@given(
    query=st.dictionaries(
        st.sampled_from(
            ["wait", "event", "persist", "duplicateKeyHandling", "createDatasetOnDemand", "atomic", "timeout"]
        )
        | texts,
        st.sampled_from(["true", "0", "merge", "1e1", "-0", "NaN", "١", "1_0", "0x10"]) | texts,
        max_size=4,
    ),
    raw=st.text("%&=+;#aA0\x7f€", max_size=8),
)
@quickly
async def test_any_parameters_are_answered(here: House, query: dict[str, str], raw: str) -> None:
    def quoted(text: str) -> str:
        return quote(text.encode("utf-8", "surrogatepass"))

    shown = "&".join(f"{quoted(name)}={quoted(value)}" for name, value in query.items())
    loose = quote(raw, safe="%&=+;")
    path = f"/v1/record/parameters/d?{shown}&{loose}"
    sound(await asked(here, "POST", path, mine(here), b'[{"a": 1}]'))


@given(
    head=st.sampled_from(["/v1/record", "/v1/write", "/v1/writes", "/v1/rules", "/v1/alerts", "/v1", ""]),
    segments=st.lists(texts | st.sampled_from(["..", ".", "stream", "test", "ack", "pause"]), max_size=4),
    method=st.sampled_from(["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"]),
)
@quickly
async def test_any_path_and_method_is_answered(
    here: House, head: str, segments: list[str], method: str
) -> None:
    parts = [quote(one.encode("utf-8", "surrogatepass"), safe="") for one in segments if one != "stream"]
    path = "/".join([head, *parts]) or "/"
    sound(await asked(here, method, path, mine(here), b'{"id": "r", "on": "d", "where": "a > 0"}'))


@given(
    name=st.sampled_from(
        ["Authorization", "x-api-key", "Idempotency-Key", "Last-Event-ID", "Accept", "Expect"]
    ),
    value=st.text(st.characters(codec="latin-1", exclude_categories=["Cc"]), max_size=300),
)
@settings(quickly, max_examples=30)
async def test_any_header_is_answered(here: House, name: str, value: str) -> None:
    given = mine(here) | {name: value}
    answer = await asked(here, "POST", "/v1/record/headers/d", given, b'[{"a": 1}]')
    if name != "Expect":
        sound(answer)
    assert answer.status < 500


rules = st.fixed_dictionaries(
    {},
    optional={
        "id": texts,
        "on": st.just("d") | values,
        "where": st.sampled_from(["a > 0", "a >", "a + 1 == 2 && b in [1, 'x']", "((((((a", "'\\ud800'"])
        | values,
        "key": st.lists(texts, max_size=3) | values,
        "mode": st.sampled_from(["each", "edge"]) | values,
        "cooldown": st.sampled_from(["5m", "0s", "9" * 30 + "d", "-1s"]) | values,
        "severity": st.sampled_from(["warn", "critical"]) | values,
        "notify": values,
        "message": st.sampled_from(["{{ a }}", "{{", "{{ }}", "{{ a.b }}"]) | values,
        "enabled": values,
    },
)


@given(rule=rules | values, events=st.lists(records, max_size=3) | values)
@settings(quickly, max_examples=25)
async def test_any_rule_is_answered(here: House, rule: Any, events: Any) -> None:
    w = here.workspace()
    body = json.dumps(rule).encode()
    sound(await asked(here, "POST", f"/v1/rules/{w}", mine(here), body))
    sound(await asked(here, "PUT", f"/v1/rules/{w}/r", mine(here), body))
    test = json.dumps({"rule": rule, "events": events}).encode()
    sound(await asked(here, "POST", f"/v1/rules/{w}/test", mine(here), test))


@given(
    body=st.fixed_dictionaries(
        {},
        optional={
            "kind": st.sampled_from(["webhook", "email", "apprise"]) | values,
            "url": st.sampled_from(
                ["http://127.0.0.1", "http://[::1]:1/", "https://example.com/x", "ftp://x", "http://x:99999/"]
            )
            | values,
            "rules": st.lists(texts, max_size=3) | values,
            "severities": values,
            "secret": st.sampled_from(["whsec_AAAA", "whsec_" + "A" * 44]) | values,
            "disabled": values,
        },
    )
    | values
)
@settings(quickly, max_examples=30)
async def test_any_subscription_is_answered(here: House, body: Any) -> None:
    w = here.workspace()
    sent = json.dumps(body).encode()
    made = await asked(here, "POST", f"/v1/subscriptions/{w}", mine(here), sent)
    sound(made)
    if made.status == 201:
        path = f"/v1/subscriptions/{w}/{made.json['id']}"
        sound(await asked(here, "PATCH", path, mine(here), sent))


@given(
    query=st.dictionaries(
        st.sampled_from(["rule", "state", "from", "to", "limit", "after"]),
        st.sampled_from(
            [
                "firing",
                "0",
                "-1",
                "9" * 18,
                "9" * 40,
                "1e9",
                "2024-01-01",
                "9999-12-31T23:59:59Z",
                "1.a",
                "x.y",
            ]
        )
        | texts,
        max_size=4,
    )
)
@settings(quickly, max_examples=30)
async def test_any_listing_of_alerts_is_answered(here: House, query: dict[str, str]) -> None:
    shown = "&".join(f"{n}={quote(v.encode('utf-8', 'surrogatepass'))}" for n, v in query.items())
    sound(await asked(here, "GET", f"/v1/alerts/{here.workspace()}?{shown}", mine(here)))


async def test_after_all_that_every_part_still_works(here: House) -> None:
    await unharmed(here)
    w = here.workspace()
    answer = await asked(here, "POST", f"/v1/write/{w}/d", mine(here), b'[{"a": 1}]')
    assert (answer.status, answer.json["inserted"]) == (200, 1)
