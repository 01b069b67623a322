"""Server processes: started detached, found again by their number and their command line, stopped."""

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.dev.processes import EngineError, Service, remembered_port
from tests.stage.patience import eventually_sync

SLEEPS = "import time; print('up', flush=True); time.sleep(600)"
STUBBORN = f"import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); {SLEEPS}"


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    service = Service("it", tmp_path, str(tmp_path))
    yield service
    pid = service.running()
    if pid is not None:
        os.kill(pid, signal.SIGKILL)


def command(service: Service, code: str = SLEEPS) -> list[str]:
    return [sys.executable, "-c", code, service.mark]


def says_up(service: Service) -> bool:
    return service.log_file.exists() and b"up" in service.log_file.read_bytes()


def test_a_service_is_started_once_and_found_again(service: Service) -> None:
    assert service.running() is None
    pid = service.start(command(service))
    service.until(lambda: says_up(service), 20)
    assert service.pid_file.read_text() == f"{pid}\n"
    assert Service("it", service.data, service.mark).running() == pid
    service.stop()
    assert service.running() is None
    assert not service.pid_file.exists()
    service.stop()


def test_a_service_that_was_killed_is_not_running(service: Service) -> None:
    pid = service.start(command(service))
    service.until(lambda: says_up(service), 20)
    os.kill(pid, signal.SIGKILL)

    def gone() -> None:
        assert service.running() is None

    eventually_sync(gone, 10)


def test_the_number_of_another_process_is_not_taken_for_ours(service: Service) -> None:
    service.pid_file.write_text(f"{os.getpid()}\n")
    assert service.running() is None
    service.stop()
    os.kill(os.getpid(), 0)


def test_a_service_that_ends_while_it_starts_says_why(service: Service) -> None:
    service.start(command(service, "import sys; sys.exit('no such luck')"))
    with pytest.raises(EngineError, match="no such luck"):
        service.until(lambda: False, 20)


def test_a_service_that_never_serves_is_not_waited_for_for_ever(service: Service) -> None:
    service.start(command(service))
    with pytest.raises(EngineError, match="does not serve"):
        service.until(lambda: False, 0.2)


def test_a_service_that_does_not_end_is_killed(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("infra.dev.processes.STOP_SECONDS", 0.2)
    service.start(command(service, STUBBORN))
    service.until(lambda: says_up(service), 20)
    service.stop()
    assert service.running() is None


def test_a_port_is_remembered(tmp_path: Path) -> None:
    first = remembered_port(tmp_path / "port")
    assert remembered_port(tmp_path / "port") == first
    assert 1024 < first < 65536
