"""A broker of a test is started, watched, stopped and killed; here it is a stand-in of a few lines."""

import os
import signal
import sys
import textwrap
import urllib.request
from pathlib import Path

import pytest

from tests.stage.process import Broker

STAND_IN = textwrap.dedent("""
    import os, pathlib, signal, sys
    from http.server import BaseHTTPRequestHandler, HTTPServer

    class Ready(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(os.environ.get("SLUICE_LINGER", "").encode())
        def log_message(self, *arguments):
            pass

    def leave(*arguments):
        print("stopped", flush=True)
        sys.exit(0)

    data = pathlib.Path(os.environ["SLUICE_DATA"])
    data.mkdir(exist_ok=True)
    starts = data / "starts"
    starts.write_text(starts.read_text() + "x" if starts.exists() else "x")
    (data / "admin-token").write_text("sk_stand_in\\n")
    if "crash" in os.environ.get("SLUICE_CRASH_AT", ""):
        print("crashing", flush=True)
        os._exit(9)
    signal.signal(signal.SIGTERM, leave)
    if "deaf" in os.environ.get("SLUICE_CRASH_AT", ""):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    print("serving as", os.getpid(), sorted(n for n in os.environ if n.startswith("SLUICE_")), flush=True)
    HTTPServer(("127.0.0.1", int(os.environ["SLUICE_PORT"])), Ready).serve_forever()
""")
COMMAND = (sys.executable, "-c", STAND_IN)


def test_it_is_ready_has_an_address_and_a_token_and_leaves_nothing_behind() -> None:
    with Broker({"SLUICE_LINGER": "5ms"}, command=COMMAND) as broker:
        with urllib.request.urlopen(broker.url + "/ready", timeout=5) as answer:
            assert answer.read() == b"5ms"
        assert broker.token == "sk_stand_in"
        broker.says(f"serving as {broker.pid}")
        pid, root = broker.pid, broker.root
    assert not root.exists()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_settings_of_the_test_s_own_process_do_not_reach_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLUICE_HOST", "0.0.0.0")
    with Broker(command=COMMAND) as broker:
        broker.says("['SLUICE_DATA', 'SLUICE_PORT']")


def test_data_and_port_stay_over_a_kill_and_a_restart() -> None:
    with Broker(command=COMMAND) as broker:
        url = broker.url
        broker.kill()
        broker.start()
        broker.restart()
        assert broker.url == url
        assert (broker.data / "starts").read_text() == "xxx"
        assert broker.logs.count("serving as") == 3
        assert broker.logs.count("stopped") == 1
        assert broker.stop() == 0


def test_one_that_ends_before_it_is_ready_is_an_assertion_with_its_log() -> None:
    broker = Broker({"SLUICE_CRASH_AT": "crash"}, command=COMMAND)
    with pytest.raises(AssertionError, match=r"ended with status 9:\ncrashing"), broker:
        pass
    assert not broker.root.exists()


def test_one_that_is_not_ready_in_time_is_an_assertion_and_killed() -> None:
    broker = Broker(command=(sys.executable, "-c", "input_ = __import__('signal').pause()"), ready_within=0.1)
    with pytest.raises(AssertionError, match=r"not ready in 0.1 s"), broker:
        pass
    assert not broker.root.exists()


def test_its_own_end_can_be_awaited() -> None:
    with Broker(command=COMMAND) as broker:
        broker.kill()
        broker.start({"SLUICE_CRASH_AT": "crash"}, wait=False)
        assert broker.wait() == 9
        broker.start()
        broker.send(signal.SIGKILL)
        assert broker.wait() == -9


def test_one_that_does_not_stop_is_killed_and_an_assertion() -> None:
    with Broker({"SLUICE_CRASH_AT": "deaf"}, command=COMMAND) as broker:
        with pytest.raises(AssertionError, match=r"did not end in 0.1 s"):
            broker.stop(deadline=0.1)
        with pytest.raises(AssertionError, match="does not run"):
            _ = broker.pid


def test_a_failure_within_carries_the_end_of_the_log() -> None:
    with pytest.raises(ZeroDivisionError) as caught, Broker(command=COMMAND):
        _ = 1 / 0
    assert "serving as" in caught.value.__notes__[0]


def test_every_broker_has_a_directory_of_its_own() -> None:
    brokers = [Broker(command=COMMAND) for _ in range(2)]
    roots = {broker.root for broker in brokers}
    assert len(roots) == 2
    for root in roots:
        Path(root).rmdir()
