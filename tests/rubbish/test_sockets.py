"""Bytes that are hardly HTTP, or not at all: each is answered or let go, in order; nothing stays behind."""

import asyncio
import gc
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_asyncio
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from infra import connections
from tests.rubbish.raw import Raw, Said, chunked, head, post
from tests.stage.house import House, house
from tests.stage.patience import eventually

pytestmark = pytest.mark.asyncio(loop_scope="module")

RECORD = b'{"a": 1}'
PATH = "/v1/write/sockets/d"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def here(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    async with house(tmp_path_factory.mktemp("sockets"), max_connections=100) as running:
        yield running


def sound(said: Said) -> None:
    """Check that an answer is a success or a problem of ours, and not the broker's own failure."""
    assert said.status < 500 or said.status == 503, said
    if said.status >= 400:
        assert said.headers["content-type"] == "application/problem+json", said
        assert said.json["status"] == said.status
    if said.status == 503:
        assert said.headers["retry-after"].isdigit()


CHUNKED = b"Transfer-Encoding: chunked\r\n"
NO_HTTP = {
    "nothing of HTTP": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(64),
    "HTTP/2's preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "a version of its own": b"GET / HTTP/7.3\r\n\r\n",
    "no path": b"GET  HTTP/1.1\r\n\r\n",
    "a path that is no ASCII": "GET /é HTTP/1.1\r\nHost: a\r\n\r\n".encode(),
    "an absolute address without a path": b"GET http://here HTTP/1.1\r\nHost: here\r\n\r\n",
    "a broken address": b"GET http://[::1 HTTP/1.1\r\nHost: a\r\n\r\n",
    "CONNECT": b"CONNECT here:1 HTTP/1.1\r\nHost: here\r\n\r\n",
    "a header without a name": b"GET / HTTP/1.1\r\n: a\r\n\r\n",
    "a folded header": b"GET / HTTP/1.1\r\nA: b\r\n c\r\n\r\n",
    "a blank before the colon": b"GET / HTTP/1.1\r\nHost : a\r\n\r\n",
    "U+0000 in a header": b"GET / HTTP/1.1\r\nHost: a\x00b\r\n\r\n",
    "bare line feeds": b"GET / HTTP/1.1\nHost: a\n\n",
    "two lengths": b"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    "a length and chunks": b"POST / HTTP/1.1\r\nContent-Length: 1\r\n" + CHUNKED + b"\r\n0\r\n\r\n",
    "chunks and a length": b"POST / HTTP/1.1\r\n" + CHUNKED + b"Content-Length: 1\r\n\r\n0\r\n\r\n",
    "a signed length": b"POST / HTTP/1.1\r\nContent-Length: +1\r\n\r\na",
    "a length past 64 bits": b"POST / HTTP/1.1\r\nContent-Length: 99999999999999999999999\r\n\r\na",
    "a coding after chunked": b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "an unknown coding": b"POST / HTTP/1.1\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "chunked twice": b"POST / HTTP/1.1\r\n" + CHUNKED * 2 + b"\r\n",
}


@pytest.mark.parametrize("name", NO_HTTP)
async def test_what_is_no_http_is_refused_by_a_problem_and_the_connection_ends(
    here: House, name: str
) -> None:
    async with Raw(here.client.url) as raw:
        await raw.send(NO_HTTP[name])
        answers = await raw.answers()
    assert [said.status for said in answers] == [400], answers
    sound(answers[0])


BAD_CHUNKS = {
    "a size that is none": b"zz\r\nabc\r\n0\r\n\r\n",
    "a size past 64 bits": b"fffffffffffffffff\r\na\r\n",
    "a signed size": b"-1\r\na\r\n",
    "a piece longer than its size": b"2\r\nabc\r\n0\r\n\r\n",
    "no line end behind a piece": b"3\r\nabc0\r\n\r\n",
    "a trailer that is none": b'8\r\n{"a": 1}\r\n0\r\n: x\r\n\r\n',
}


@pytest.mark.parametrize("name", BAD_CHUNKS)
async def test_broken_chunks_are_refused_and_nothing_of_them_is_stored(here: House, name: str) -> None:
    path = f"/v1/write/{here.workspace()}/d"
    async with Raw(here.client.url) as raw:
        await raw.send(head(path, here.client.token, "Transfer-Encoding: chunked"), BAD_CHUNKS[name])
        answers = await raw.answers()
    assert [said.status for said in answers] == [400], answers
    sound(answers[0])
    assert here.stored(path.split("/")[3], "d") == []


async def test_a_body_in_many_chunks_with_extensions_and_trailers_is_one_body(here: House) -> None:
    w = here.workspace()
    body = b'8;name="value"\r\n{"a": 1}\r\n0\r\nX-Trailer: 1\r\n\r\n'
    async with Raw(here.client.url) as raw:
        await raw.send(head(f"/v1/write/{w}/d", here.client.token, "Transfer-Encoding: chunked"), body)
        said = await raw.answer()
        assert said is not None and said.status == 200
        pieces = chunked(bytes([byte]) for byte in RECORD)
        await raw.send(head(f"/v1/write/{w}/d", here.client.token, "Transfer-Encoding: chunked"))
        await raw.send(*(pieces[at : at + 3] for at in range(0, len(pieces), 3)))
        said = await raw.answer()
        assert said is not None and said.status == 200
    assert here.stored(w, "d") == [{"a": 1}, {"a": 1}]


async def test_pipelined_requests_are_answered_in_their_order_and_what_is_broken_comes_last(
    here: House,
) -> None:
    good = post(PATH, here.client.token, RECORD)
    for broken in (
        b"rubbish\r\n\r\n",
        head(PATH, here.client.token, "Transfer-Encoding: chunked") + b"zz\r\n",
        head(PATH, here.client.token, "X: " + "a" * 200_000),
    ):
        async with Raw(here.client.url) as raw:
            await raw.send(good * 5 + broken)
            answers = await raw.answers()
        assert [said.status for said in answers] == [200] * 5 + [400], answers


async def test_hundreds_of_pipelined_requests_are_each_answered(here: House) -> None:
    w = here.workspace()
    async with Raw(here.client.url) as raw:
        sending = asyncio.create_task(raw.send(post(f"/v1/record/{w}/d", here.client.token, RECORD) * 200))
        answers = await raw.answers(200)
        await sending
    assert {said.status for said in answers} == {202}
    await eventually(lambda: len(here.stored(w, "d")) == 200)


@pytest.mark.parametrize(
    "sent",
    [
        b"GET /health HTTP/1.1\r\nX: " + b"a" * 1_000_000,
        b"GET /" + b"a" * 1_000_000,
        b"GET /health HTTP/1.1\r\n" + b"A: b\r\n" * 5_000 + b"\r\n",
        b"GET /health HTTP/1.1\r\n" + b"A: b\r\n" * 500_000,
    ],
    ids=["one long header", "a long path", "thousands of headers", "headers without an end"],
)
async def test_heads_without_measure_are_refused(here: House, sent: bytes) -> None:
    async with Raw(here.client.url) as raw:
        sending = asyncio.create_task(
            raw.send(*(sent[at : at + 65_536] for at in range(0, len(sent), 65_536)))
        )
        answers = await raw.answers()
        await asyncio.gather(sending, return_exceptions=True)
    # a caller that goes on sending may be cut off before it reads
    assert [said.status for said in answers] in ([400], []), answers


async def test_trailers_without_an_end_are_cut_off(here: House) -> None:
    async with Raw(here.client.url) as raw:
        await raw.send(head(PATH, here.client.token, "Transfer-Encoding: chunked"), b"1\r\na\r\n0\r\nX: ")
        sending = asyncio.create_task(raw.send(*[b"a" * 65_536] * 16))
        answers = await raw.answers()
        await asyncio.gather(sending, return_exceptions=True)
    assert [said.status for said in answers] in ([400], []), answers


async def test_a_refusal_that_can_be_made_before_the_body_comes_before_100_continue(here: House) -> None:
    async with Raw(here.client.url) as raw:
        await raw.send(head(PATH, "sk_wrong", "Expect: 100-continue", "Content-Length: 1000"))
        answers = await raw.answers()
        assert [said.status for said in answers] == [401]
    async with Raw(here.client.url) as raw:
        await raw.send(head(PATH, here.client.token, "Expect: 100-continue", f"Content-Length: {10**9}"))
        answers = await raw.answers()
        assert [said.status for said in answers] == [413]
    async with Raw(here.client.url) as raw:
        await raw.send(
            head(PATH, here.client.token, "Expect: 100-continue", f"Content-Length: {len(RECORD)}")
        )
        said = await raw.answer()
        assert said is not None and said.status == 100
        await raw.send(RECORD)
        said = await raw.answer()
        assert said is not None and said.status == 200


@pytest.mark.parametrize("apart", [False, True])
async def test_a_body_behind_a_request_to_upgrade_is_its_body_and_no_request(
    here: House, apart: bool
) -> None:
    w = here.workspace()
    inner = post(f"/v1/write/{w}/smuggled", here.client.token, RECORD)
    body = b'{"text": ' + RECORD + b"}"
    upgrade = ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQ")
    async with Raw(here.client.url) as raw:
        for sent in (body, inner):
            request = post(f"/v1/write/{w}/d", here.client.token, sent, *upgrade)
            at = request.index(b"\r\n\r\n") + 4 if apart else len(request)
            await raw.send(request[:at])
            if apart:
                await asyncio.sleep(0.05)
            await raw.send(request[at:])
        first, second = await raw.answer(), await raw.answer()
        assert first is not None and first.status == 200
        assert second is not None and second.json["code"] == "bad_json"
        await raw.send(post(f"/v1/write/{w}/d", here.client.token, RECORD))
        third = await raw.answer()
        assert third is not None and third.status == 200, "the connection goes on"
    assert here.stored(w, "smuggled") == []
    assert len(here.stored(w, "d")) == 2


async def test_a_caller_that_closes_its_half_or_vanishes_leaves_nothing_behind(here: House) -> None:
    token = here.client.token
    for sent in (b"", b"GE", head(PATH, token, "Content-Length: 100"), post(PATH, token, RECORD)):
        async with Raw(here.client.url) as raw:
            await raw.send(sent)
            raw.writer.write_eof()
            for said in await raw.answers():
                sound(said)
        async with Raw(here.client.url) as raw:
            await raw.send(sent)
            raw.writer.transport.abort()


async def test_connections_past_the_bound_get_503_with_retry_after_and_those_before_it_go_on(
    here: House,
) -> None:
    async with Raw(here.client.url) as first:
        await first.send(post(PATH, here.client.token, RECORD))
        said = await first.answer()
        assert said is not None and said.status == 200
        others = [await Raw(here.client.url).__aenter__() for _ in range(110)]
        try:
            await others[-1].send(post(PATH, here.client.token, RECORD))
            refused = await others[-1].answers()
            assert [said.status for said in refused] == [503], refused
            sound(refused[0])
            await first.send(post(PATH, here.client.token, RECORD))
            said = await first.answer()
            assert said is not None and said.status == 200
        finally:
            for other in others:
                other.writer.close()
    assert (await eventually(lambda: here.client.post(PATH, data=RECORD))).status == 200


async def test_heads_and_silence_are_bounded_in_time(here: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "LOOK_EVERY", 0.05)
    monkeypatch.setattr(connections, "HEAD_SECONDS", 0.2)
    monkeypatch.setattr(connections, "SILENT_SECONDS", 0.4)
    async with Raw(here.client.url) as slow, Raw(here.client.url) as silent, Raw(here.client.url) as cut:
        await slow.send(b"GET /health HTTP/1.1\r\nX:")
        # refused at once, its body never comes: nothing is due any more
        await cut.send(head(PATH, "sk_wrong", "Content-Length: 1000"), b"{")
        assert [said.status for said in await slow.answers()] == [400]
        assert await silent.answers() == []
        assert [said.status for said in await cut.answers()] == [401]


async def test_what_is_sent_ahead_waits_in_the_socket_and_not_in_memory(here: House) -> None:
    token, large = here.client.token, b'[{"a": "' + b"x" * 200_000 + b'"}]'
    path = f"/v1/write/{here.workspace()}/d"
    number, most = 100, 0
    async with Raw(here.client.url) as raw:
        sending = asyncio.create_task(raw.send(*[post(path, token, large)] * number))
        for turn in range(number):
            said = await raw.answer()
            assert said is not None and said.status == 200
            if turn % 10 == 0:
                cycles = [one for one in gc.get_objects() if isinstance(one, RequestResponseCycle)]
                most = max(most, sum(len(cycle.body) for cycle in cycles))
        await sending
    assert most < 1_000_000, f"{most} bytes of bodies wait for their turn"


async def test_more_requests_ahead_than_may_wait_are_refused_behind_the_answers_to_those(here: House) -> None:
    async with Raw(here.client.url) as raw:
        await raw.send(b"GET /health HTTP/1.1\r\nHost: a\r\n\r\n" * 3_000)
        answers = await raw.answers(4_000)
    assert [said.status for said in answers[:-1]] == [200] * (len(answers) - 1)
    assert len(answers) > connections.PIPELINED
    assert answers[-1].status == 400 or len(answers) == 3_000


async def test_nothing_stays_behind(here: House) -> None:
    async def rest() -> tuple[int, int]:
        return len(asyncio.all_tasks()), len(list(Path("/proc/self/fd").iterdir()))

    if not Path("/proc/self/fd").exists():
        pytest.skip("only where there is a /proc")
    shapes: list[Callable[[], bytes]] = [
        lambda: post(PATH, here.client.token, RECORD),
        lambda: head(PATH, here.client.token, "Content-Length: 50") + b"[",
        lambda: b"rubbish\r\n\r\n",
    ]

    async def one(shape: Callable[[], bytes]) -> None:
        async with Raw(here.client.url) as raw:
            await raw.send(shape())

    before = await rest()
    for _ in range(20):
        await asyncio.gather(*(one(shape) for shape in shapes))

    async def small() -> bool:
        tasks, files = await rest()
        return tasks <= before[0] + 3 and files <= before[1] + 3

    await eventually(small, 20.0)
