"""A single-node Apache Kafka for development and tests, over one data directory.

Its ports and its cluster's id are remembered there, so that one that was killed comes back at the same
address over the same data. One node keeps one copy, in the page cache: it survives a killed process, not a
power cut (`sluice check` says so).
"""

import base64
import json
import os
import signal
import socket
import struct
import subprocess
import time
import uuid
from pathlib import Path
from typing import Any, Final

from infra.dev.jvm import EngineError, command
from infra.dev.jvm import missing as java_missing

SERVES_WITHIN: Final = 60.0
STOPS_WITHIN: Final = 20.0

PROPERTIES: Final = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
controller.listener.names=CONTROLLER
log.dirs={directory}
num.network.threads=2
num.io.threads=4
log.segment.bytes=67108864
auto.create.topics.enable=false
offsets.topic.num.partitions=4
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
broker.session.timeout.ms=2000
broker.heartbeat.interval.ms=500
"""
"""A broker's session of 2 s: after a kill its new life waits for the old one's to end."""


class Kafka:
    """The Kafka of one data directory. Its methods block; call them off the event loop.

    `more` are lines for its properties; of a property that is there twice the last one counts. They may
    name `{port}`, `{controller}` and `{directory}`.
    """

    name = "kafka"

    def __init__(self, data: Path, more: str = "") -> None:
        self._properties = PROPERTIES + more
        self._data = data.absolute()
        self._directory = self._data / "kafka"
        self._pid = self._data / "kafka.pid"
        self._log = self._data / "kafka.log"

    def missing(self) -> str | None:
        """Return what has to be installed first, with the command that does; None where all is there."""
        return java_missing()

    def up(self) -> str:
        """Start it where it does not run, wait until it serves, and return its line for `infra.env`.

        Raises: EngineError.
        """
        self._directory.mkdir(parents=True, exist_ok=True)
        kept = self._kept()
        if self.pid is None:
            properties = self._directory / "server.properties"
            filled = self._properties.format(**kept, directory=self._directory / "data")
            properties.write_text(filled)
            if not (self._directory / "data" / "meta.properties").exists():
                self._format(properties, kept["cluster"])
            self._start(properties)
        self._until_it_serves(kept["port"])
        return f"SLUICE_LOG=kafka://127.0.0.1:{kept['port']}"

    def down(self) -> None:
        """Stop it where it runs, and wait for its end. Raises: EngineError where it does not end."""
        pid = self.pid
        if pid is not None:
            os.kill(pid, signal.SIGTERM)
            deadline = time.monotonic() + STOPS_WITHIN
            while self.pid is not None:
                if time.monotonic() > deadline:
                    raise EngineError(f"Kafka (process {pid}) does not end; {self._log} may say why.")
                time.sleep(0.05)
        self._pid.unlink(missing_ok=True)

    @property
    def pid(self) -> int | None:
        """The process it runs in, None where it does not."""
        try:
            pid = int(self._pid.read_text())
        except (OSError, ValueError):
            return None
        asked = ["ps", "-ww", "-o", "stat=,command=", "-p", str(pid)]
        state, _, said = subprocess.run(asked, capture_output=True, text=True, check=False).stdout.partition(
            " "
        )
        # a number is used again, and a child that nobody waited for is dead
        return pid if str(self._directory) in said and not state.startswith("Z") else None

    def _kept(self) -> dict[str, Any]:
        path = self._directory / "engine.json"
        if path.exists():
            kept: dict[str, Any] = json.loads(path.read_text())
            return kept
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        ports = _free_ports(2)
        kept = {"port": ports[0], "controller": ports[1], "cluster": cluster}
        path.write_text(json.dumps(kept))
        return kept

    def _format(self, properties: Path, cluster: str) -> None:
        asked = command("kafka.tools.StorageTool", "format", "-t", cluster, "-c", str(properties))
        run = subprocess.run(asked, capture_output=True, text=True, check=False)
        if run.returncode != 0:
            raise EngineError(
                f"Kafka could not prepare {self._directory}: {(run.stdout + run.stderr)[-2000:]}"
            )

    def _start(self, properties: Path) -> None:
        with self._log.open("ab") as log:
            process = subprocess.Popen(
                command("kafka.Kafka", str(properties)),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._pid.write_text(f"{process.pid}\n")

    def _until_it_serves(self, port: int) -> None:
        deadline = time.monotonic() + SERVES_WITHIN
        while not _serves(port):
            if self.pid is None or time.monotonic() > deadline:
                tail = self._log.read_text(errors="replace")[-2000:]
                raise EngineError(f"Kafka does not serve on port {port}; {self._log} ends with:\n{tail}")
            time.sleep(0.1)


def _serves(port: int) -> bool:
    """Return whether a broker answers a request for its versions, which it does only once it serves."""
    request = struct.pack(">hhih6s", 18, 0, 1, 6, b"sluice")
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1.0) as broker:
            broker.sendall(struct.pack(">i", len(request)) + request)
            broker.settimeout(2.0)
            return len(broker.recv(4)) == 4
    except OSError:
        return False


def _free_ports(count: int) -> list[int]:
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in probes]
    finally:
        for probe in probes:
            probe.close()
