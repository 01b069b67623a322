"""The demo adds up, says so where it does not, and leaves nothing behind."""

import asyncio
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from aiohttp import ClientSession, web
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks.webhooks import Webhook

from infra.demo import run_demo
from infra.demo_broker import BrokerFailed, own_broker
from infra.demo_receiver import Receiver, receiving
from infra.demo_records import RULES, DemoRule, NoDataError, load_readings
from infra.demo_replay import Refused, Replay
from infra.demo_report import Report, Tally, percentile
from rules.condition.condition import read_condition
from streams.delivery.webhook import mint_secret

RIGHT = Report(
    records=10,
    requests=2,
    retried=0,
    accepted=10,
    stored=10,
    tallies=(Tally("heat", 3, 3, 3),),
    forged=0,
    repeated=0,
    writing=1.0,
    storing=2.0,
    to_webhook=(0.1, 0.2, 0.3),
)


async def test_everything_adds_up(capsys: pytest.CaptureFixture[str]) -> None:
    assert await run_demo(400) == 0
    said = capsys.readouterr().out
    assert "Everything adds up." in said
    assert "400" in said


async def test_a_signal_stops_it_and_nothing_is_left(tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "infra.cli", "demo"),
        env={"TMPDIR": str(tmp_path), "PATH": ""},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    assert process.stdout is not None
    async with asyncio.timeout(30):
        while b"serves on" not in (line := await process.stdout.readline()):
            assert line, "it ended by itself"
        assert len(list(tmp_path.iterdir())) == 1
        process.send_signal(signal.SIGINT)
        said = (await process.stdout.read()).decode()
        assert await process.wait() == 130
    assert "Stopped" in said
    assert "Traceback" not in said
    assert list(tmp_path.iterdir()) == []
    port = urlsplit(line.decode().split()[3].rstrip(";")).port
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0


async def test_a_broker_that_does_not_start_is_a_sentence_and_status_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(BrokerFailed, match="ended before it served"):
        async with own_broker():
            pass
    assert await run_demo(100) == 1
    assert "The demo failed: The broker ended before it served" in capsys.readouterr().out


async def test_a_data_set_that_is_not_installed_is_a_sentence_and_status_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("infra.demo_records.find_spec", lambda _: None)
    with pytest.raises(NoDataError):
        load_readings(100)
    assert await run_demo(100) == 1
    assert "make install" in " ".join(capsys.readouterr().out.split())


def test_the_readings_are_in_the_order_of_time_and_each_has_its_place() -> None:
    readings = load_readings(10**9)
    assert len(readings) == 2 * 8_759 + 1_461
    assert len({reading.place for reading in readings}) == len(readings)
    assert readings == sorted(readings, key=lambda r: str(r.record["at"]))


def test_fewer_readings_still_span_all_of_the_time() -> None:
    few = load_readings(100)
    assert len(few) == 100
    assert (few[0].record["at"][:4], few[-1].record["at"][:4]) == ("2010", "2015")


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_a_rule_and_its_twin_in_plain_python_agree_on_every_reading(rule: DemoRule) -> None:
    condition = read_condition(rule.declared["where"])
    mine = [r.record for r in load_readings(10**9) if r.dataset == rule.declared["on"]]
    assert mine
    assert [condition.matches(record) for record in mine] == [rule.matches(record) for record in mine]


def test_with_a_cooldown_one_alert_a_key_is_expected_without_one_each() -> None:
    readings = load_readings(10**9)
    heat, gale = RULES
    assert heat.alerts(readings) == 654
    assert gale.alerts(readings) == len({"rain", "snow", "drizzle", "fog"})


def test_a_report_without_differences_has_none() -> None:
    assert RIGHT.differences() == []
    assert RIGHT.table().row_count > 5


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (replace(RIGHT, accepted=9), "9 acknowledged"),
        (replace(RIGHT, stored=11), "11 stored"),
        (replace(RIGHT, tallies=(Tally("heat", 3, 2, 3),)), "raised 2"),
        (replace(RIGHT, tallies=(Tally("heat", 3, 3, 4),)), "told of 4"),
        (replace(RIGHT, forged=1), "not signed"),
    ],
)
def test_whatever_does_not_add_up_is_said(wrong: Report, words: str) -> None:
    [difference] = wrong.differences()
    assert words in difference


def test_a_report_of_nothing_has_a_table_too() -> None:
    empty = replace(RIGHT, writing=0.0, storing=0.0, to_webhook=())
    assert empty.table().row_count > 5


@given(st.lists(st.floats(allow_nan=False), min_size=1), st.floats(0, 1))
def test_a_percentile_is_the_least_value_that_the_share_does_not_exceed(
    values: list[float], share: float
) -> None:
    found = percentile(values, share)
    assert found in values
    assert sum(value <= found for value in values) >= share * len(values) - 1e-9
    assert sum(value < found for value in values) <= share * len(values)


def test_there_is_no_percentile_of_nothing() -> None:
    with pytest.raises(ValueError, match="nothing"):
        percentile([], 0.5)


async def deliver(receiver: Receiver, secret: str, message_id: str, at: float | None = None) -> int:
    body = '{"type":"alert.firing","data":{"rule":"heat"}}'
    stamp = datetime.fromtimestamp(time.time() if at is None else at, UTC)
    headers = {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(stamp.timestamp())),
        "webhook-signature": Webhook(secret).sign(message_id, stamp, body),
    }
    async with ClientSession() as session, session.post(receiver.url, data=body, headers=headers) as answer:
        return answer.status


async def test_the_receiver_takes_what_is_signed_once_and_nothing_else() -> None:
    async with receiving(Receiver()) as receiver:
        receiver.secret = mint_secret()
        assert await deliver(receiver, receiver.secret, "a1") == 204
        assert await deliver(receiver, receiver.secret, "a1") == 204
        assert await deliver(receiver, mint_secret(), "a2") == 401
        assert await deliver(receiver, receiver.secret, "a3", time.time() - 1_000) == 401
        assert (list(receiver.arrivals), receiver.repeated, receiver.forged) == (["a1"], 1, 2)
        assert receiver.arrivals["a1"].alert == {"rule": "heat"}


async def test_the_receiver_says_when_enough_have_come() -> None:
    async with receiving(Receiver()) as receiver, asyncio.timeout(5):
        receiver.secret = mint_secret()
        waiting = asyncio.create_task(receiver.until(2))
        await deliver(receiver, receiver.secret, "a1")
        assert not waiting.done()
        await deliver(receiver, receiver.secret, "a2")
        await waiting
        await receiver.until(1)


@asynccontextmanager
async def answering(*answers: tuple[int, dict[str, object]]) -> AsyncIterator[tuple[str, list[str]]]:
    """Serve on loopback: each POST gets the next answer, the last one for ever; its keys are noted."""
    keys: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        keys.append(request.headers.get("Idempotency-Key", ""))
        status, body = answers[min(len(keys), len(answers)) - 1]
        return web.json_response(body, status=status, headers={"Retry-After": "0"})

    app = web.Application()
    app.router.add_post("/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}", keys
    finally:
        await runner.cleanup()


async def test_a_write_that_is_told_to_wait_is_sent_again_under_the_same_key() -> None:
    accepted = {"writeId": "w1", "accepted": 1}
    async with answering((503, {}), (429, {}), (202, accepted)) as (url, keys), ClientSession() as session:
        replay = Replay(session, url, "sk_test", "demo")
        wrote: list[int] = []
        await replay.write(load_readings(100)[:1], wrote.append)
    assert len(keys) == 3
    assert len(set(keys)) == 1
    assert keys[0]
    assert (replay.retried, replay.accepted, replay.write_ids, wrote) == (2, 1, ["w1"], [1])


async def test_a_refusal_is_not_tried_again_and_says_why() -> None:
    async with answering((422, {"detail": "no such thing"})) as (url, keys), ClientSession() as session:
        replay = Replay(session, url, "sk_test", "demo")
        with pytest.raises(ExceptionGroup) as caught:
            await replay.write(load_readings(100)[:1], lambda _: None)
    assert len(keys) == 1
    assert caught.group_contains(Refused, match="no such thing")
