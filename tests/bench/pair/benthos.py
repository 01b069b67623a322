"""Benthos 4.27 beside us: an HTTP server whose requests are answered once Kafka has them, in batches.

It is built from `benthos/go.mod` by the machine's Go, once: the program stays beside the bench's history.
"""

import json
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from http.client import HTTPConnection
from pathlib import Path
from shutil import which
from typing import Any, Final

from infra.dev.processes import free_port
from tests.bench.pair.stand import Engines
from tests.bench.peers import HOUSE, Peer

SOURCE: Final = Path(__file__).parent / "benthos"
KEPT: Final = HOUSE / ".bench"
BUILD_SECONDS: Final = 900.0
START_SECONDS: Final = 20.0


def is_there() -> bool:
    """Return whether it is built, or Go is installed to build it."""
    return _built().exists() or which("go") is not None


def _built() -> Path:
    files = sorted(path for path in SOURCE.iterdir() if path.suffix in {".mod", ".sum", ".go"})
    return KEPT / f"benthos-{sha256(b''.join(path.read_bytes() for path in files)).hexdigest()[:12]}"


def program() -> Path:
    """Return the program, built where it is not there yet.

    Raises: RuntimeError, where Go is not installed or does not build it.
    """
    built = _built()
    if built.exists():
        return built
    if (go := which("go")) is None:
        raise RuntimeError("Go is not installed, and Benthos is built with it.")
    KEPT.mkdir(exist_ok=True)
    (KEPT / ".gitignore").write_text("*\n")
    fresh = built.with_suffix(".new")
    done = subprocess.run(
        [go, "build", "-mod=readonly", "-trimpath", "-o", str(fresh), "."],
        cwd=SOURCE,
        capture_output=True,
        text=True,
        timeout=BUILD_SECONDS,
    )
    if done.returncode:
        raise RuntimeError(f"Go did not build Benthos: {done.stderr[-500:]}")
    fresh.rename(built)
    return built


def configuration(port: int, path: str, servers: str, topic: str) -> dict[str, Any]:
    """Return how it is set: as durable as we are (idempotent, so `acks=all`), and in batches."""
    return {
        "http": {"enabled": False},
        "logger": {"level": "ERROR"},
        "input": {"http_server": {"address": f"127.0.0.1:{port}", "path": path, "timeout": "30s"}},
        "output": {
            "kafka_franz": {
                "seed_brokers": [servers],
                "topic": topic,
                "idempotent_write": True,
                "max_in_flight": 64,
                "batching": {"count": 32, "period": "2ms"},
            }
        },
    }


@contextmanager
def benthos(engines: Engines, path: str, topic: str) -> Iterator[Peer]:
    """Run it: what is posted to `path` goes to a topic, which must be there.

    Raises: RuntimeError where it does not answer.
    """
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="sluice-bench-") as folder:
        config, log = Path(folder) / "config.json", Path(folder) / "log"
        config.write_text(json.dumps(configuration(port, path, engines.servers, topic)))
        with log.open("wb") as out:
            process = subprocess.Popen(
                [program(), "-c", config], stdout=out, stderr=out, env=dict(os.environ)
            )
        try:
            _until_served(port, path, log)
            yield Peer(f"http://127.0.0.1:{port}", process.pid)
        finally:
            process.terminate()
            process.wait(timeout=30)


def _until_served(port: int, path: str, log: Path) -> None:
    end = time.monotonic() + START_SECONDS
    while True:
        connection = HTTPConnection("127.0.0.1", port, timeout=10)
        try:
            connection.request("POST", path, b"{}")
            status = connection.getresponse().status
            if status == 200:
                return
            why = f"it answers {status}"
        except OSError as error:
            why = str(error)
        finally:
            connection.close()
        if time.monotonic() > end:
            raise RuntimeError(f"Benthos did not start ({why}): {log.read_text(errors='replace')[-500:]}")
        time.sleep(0.1)
