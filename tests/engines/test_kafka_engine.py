"""The development Kafka: one process, at one address, over one data directory."""

import os
import signal
from pathlib import Path

from infra.dev.kafka import Kafka


def test_it_comes_up_once_and_goes_down(data: Path) -> None:
    engine = Kafka(data)
    try:
        line = engine.up()
        assert line.startswith("SLUICE_LOG=kafka://127.0.0.1:")
        pid = engine.pid
        assert pid == int((data / "kafka.pid").read_text())
        assert Kafka(data).up() == line
        assert engine.pid == pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        assert engine.up() == line
        assert engine.pid not in (None, pid)
    finally:
        engine.down()
    assert engine.pid is None
    assert not (data / "kafka.pid").exists()
    engine.down()


def test_a_number_that_is_anothers_process_is_not_taken_for_kafka(data: Path) -> None:
    (data / "kafka.pid").write_text(f"{os.getpid()}\n")
    engine = Kafka(data)
    assert engine.pid is None
    engine.down()
