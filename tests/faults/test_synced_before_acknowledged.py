"""No 202 leaves before the log's file is synced, no 200 before the database's, no segment goes before both.

The order is that of the system calls, as strace saw them. Syncs are made slow, so that an answer which does
not wait for one overtakes it.
"""

import asyncio
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.faults.tools import calling, patient
from tests.faults.tracing import Call, calls, ended, traced
from tests.stage.patience import eventually
from tests.stage.process import Broker

NAMES = (
    "pwrite64",
    "write",
    "writev",
    "sendto",
    "sendmsg",
    "fsync",
    "fdatasync",
    "rename",
    "unlink",
    "mkdir",
)
WRITES = 240
LOADS = 12
ARMED = (sys.executable, "-m", "tests.faults.armed", "serve")
SYNCS, SENDS = ("fsync", "fdatasync"), ("write", "writev", "sendto", "sendmsg")


@dataclass(frozen=True)
class Traced:
    """What was acknowledged, mark and writeId by status, and every call the broker made.

    `loads` are the marks and jobIds of loads that were.
    """

    told: list[tuple[int, str, str]]
    loads: list[tuple[str, str]]
    calls: list[Call]
    data: Path

    def named(self, *names: str) -> list[Call]:
        return [call for call in self.calls if call.name in names]


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Traced]:
    trace = tmp_path_factory.mktemp("trace") / "calls"
    slow = ("-e", "inject=fsync,fdatasync:delay_exit=3000")
    command = (*traced(trace, NAMES, *slow), *ARMED)
    broker = patient({"FAULTS_SEGMENT": "65536"}, command)
    with broker:
        told, loads = asyncio.run(_written(broker))
        pid = broker.pid
        broker.kill()
        ended(trace, pid)
        yield Traced(told, loads, calls(trace), broker.data)


async def _written(broker: Broker) -> tuple[list[tuple[int, str, str]], list[tuple[str, str]]]:
    told: list[tuple[int, str, str]] = []
    loads: list[tuple[str, str]] = []
    async with calling(broker) as client:

        async def one(number: int) -> None:
            mark = f"mark{number:06d}."
            path = "record" if number % 2 else "write"
            record = {"mark": mark, "text": "x" * 1_000}
            answer = await client.post(f"/v1/{path}/acme/d{number % 3}?timeout=60", json=[record])
            assert answer.status in (200, 202), answer.body
            told.append((answer.status, mark, answer.json["writeId"]))

        async def load(number: int) -> None:
            mark = f"load{number:06d}."
            if number % 2:
                answer = await client.post(f"/v1/data/acme/l{number % 3}", data=f"mark\n{mark}\n".encode())
            else:
                body = {"datasetId": f"acme.q{number % 3}", "data": [{"mark": mark}]}
                answer = await client.post("/dataload/postdata", json=body)
            assert answer.status == (202 if number % 2 else 200), answer.body
            loads.append((mark, answer.json["jobId"]))

        # alone: behind others the store would be late anyway, whether or not it waits for the log
        for number in range(LOADS):
            await load(number)
        for number in range(3):
            await one(2 * number)
        places = asyncio.Semaphore(12)

        async def in_turn(number: int) -> None:
            async with places:
                await one(number)

        await asyncio.gather(*(in_turn(number) for number in range(10, WRITES)))

    def trimmed() -> None:
        assert not (broker.data / "log" / "writes" / f"{1:016d}.seg").exists()

    await eventually(trimmed, 60)
    return told, loads


def _synced(seen: Traced, begin: int, end: int, path: str) -> bool:
    """Whether a sync of the file began after `begin` and had ended well before `end`."""
    return any(
        call.begin > begin and call.end < end and call.result == "0"
        for call in seen.named(*SYNCS)
        if call.on(path)
    )


def _file(call: Call) -> str:
    match = re.search(r"<(.*?)>", call.args)
    assert match is not None
    return match[1]


def _answers(seen: Traced) -> dict[str, Call]:
    """Return the first call that sent each writeId."""
    found: dict[str, Call] = {}
    wanted = {write_id for _, _, write_id in seen.told}
    for call in seen.named(*SENDS):
        for write_id in wanted & set(re.findall(r'writeId\\":\\"([^"\\]+)', call.args)):
            found.setdefault(write_id, call)
    return found


def test_every_write_was_synced_in_the_log_between_its_append_and_its_answer(seen: Traced) -> None:
    answers = _answers(seen)
    appends = [call for call in seen.named("pwrite64") if "/log/writes/" in call.args and call.on(".seg")]
    assert len(seen.told) == WRITES - 10 + 3
    for _, mark, write_id in seen.told:
        append = next(call for call in appends if mark in call.args)
        assert _synced(seen, append.end, answers[write_id].begin, _file(append)), mark
    syncs = [call for call in seen.named(*SYNCS) if call.on(".seg") and "/log/writes/" in call.args]
    print(f"{len(seen.told)} acknowledged writes, {len(appends)} appends, {len(syncs)} syncs of the log")
    assert len(syncs) == len(appends)


def test_every_write_that_was_waited_for_was_synced_in_the_database_before_its_answer(seen: Traced) -> None:
    answers = _answers(seen)
    frames = [call for call in seen.named("pwrite64") if call.on("sluice.db-wal")]
    waited = [one for one in seen.told if one[0] == 200]
    assert len(waited) > WRITES // 3
    for _, mark, write_id in waited:
        frame = next(call for call in frames if mark in call.args)
        assert _synced(seen, frame.end, answers[write_id].begin, "sluice.db-wal"), mark


def test_every_load_was_synced_with_its_job_before_its_answer(seen: Traced) -> None:
    uploads = [call for call in seen.named("pwrite64") if "/log/uploads/" in call.args and call.on(".seg")]
    frames = [call for call in seen.named("pwrite64") if call.on("sluice.db-wal")]
    assert len(seen.loads) == LOADS
    for mark, job in seen.loads:
        answer = next(call for call in seen.named(*SENDS) if f'jobId\\":\\"{job}' in call.args)
        upload = next(call for call in uploads if mark in call.args)
        frame = next(call for call in frames if job.replace("-", "") in call.args)
        assert _synced(seen, upload.end, frame.begin, _file(upload)), mark
        assert _synced(seen, frame.end, answer.begin, "sluice.db-wal"), mark


def test_a_segment_goes_only_after_all_it_held_is_synced_in_the_database(seen: Traced) -> None:
    gone = [call for call in seen.named("unlink") if re.search(r"/log/writes/\d+\.seg", call.args)]
    assert gone
    frames = [call for call in seen.named("pwrite64") if call.on("sluice.db-wal")]
    held = 0
    for unlink in gone:
        path = unlink.args.strip('"')
        for append in seen.named("pwrite64"):
            if append.on(path):
                for mark in re.findall(r"mark\d{6}\.", append.args):
                    held += 1
                    frame = next(call for call in frames if mark in call.args)
                    assert _synced(seen, frame.end, unlink.begin, "sluice.db-wal"), mark
    print(f"{len(gone)} segments trimmed with {held} writes, each in the database before")
    assert held > 30


def test_a_file_or_directory_that_was_made_is_synced_in_its_own_before_it_is_used(seen: Traced) -> None:
    made = [call for call in seen.named("rename") if call.result == "0" and call.args.endswith('.seg"')]
    assert len(made) >= 4
    for rename in made:
        path = rename.args.rsplit('"', 2)[1]
        draft = rename.args.split('"')[1]
        directory = str(Path(path).parent)
        first = next((c for c in seen.named("pwrite64") if c.on(path)), None)
        assert _synced(seen, -1, rename.begin, draft), path
        assert first is None or _synced(seen, rename.end, first.begin, directory), path
    first_append = next(c for c in seen.named("pwrite64") if "mark" in c.args and ".seg" in c.args)
    for path in (seen.data, seen.data / "log", seen.data / "log" / "writes", seen.data / "log" / "events"):
        mkdir = next(c for c in seen.named("mkdir") if c.args.startswith(f'"{path}"') and c.result == "0")
        assert _synced(seen, mkdir.end, first_append.begin, str(path.parent)), path
