"""A single-node Apache Kafka for development and tests, over one data directory.

Its ports and its cluster's id are remembered there, so that one that was killed comes back at the same
address over the same data. One node keeps one copy, in the page cache: it survives a killed process, not a
power cut (`sluice check` says so).
"""

import base64
import json
import socket
import struct
import subprocess
import uuid
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, Final

from infra.dev.jvm import command
from infra.dev.jvm import missing as java_missing
from infra.dev.processes import EngineError, Service, free_port

SERVES_WITHIN: Final = 60.0

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
        self._directory = data.absolute() / "kafka"
        self._properties = PROPERTIES + more
        self._service = Service(self.name, data.absolute(), str(self._directory))

    def missing(self) -> str | None:
        """Return what has to be installed first, with the command that does; None where all is there."""
        return java_missing()

    def up(self) -> str:
        """Start it where it does not run, wait until it serves, and return its line for `infra.env`.

        Raises: EngineError.
        """
        self._directory.mkdir(parents=True, exist_ok=True)
        kept = self._kept()
        serves = partial(_serves, kept["port"])
        if self.pid is not None:
            # one that was just killed may be seen for a moment yet: it is started again then
            with suppress(EngineError):
                self._service.until(serves, SERVES_WITHIN)
        if self.pid is None:
            properties = self._directory / "server.properties"
            filled = self._properties.format(**kept, directory=self._directory / "data")
            properties.write_text(filled)
            if not (self._directory / "data" / "meta.properties").exists():
                self._format(properties, kept["cluster"])
            self._service.start(command("kafka.Kafka", str(properties)))
        self._service.until(serves, SERVES_WITHIN)
        return f"SLUICE_LOG=kafka://127.0.0.1:{kept['port']}"

    def down(self) -> None:
        """Stop it where it runs, and wait for its end. Raises: EngineError where it does not end."""
        self._service.stop()

    @property
    def pid(self) -> int | None:
        """The process it runs in, None where it does not."""
        return self._service.running()

    def _kept(self) -> dict[str, Any]:
        path = self._directory / "engine.json"
        if path.exists():
            kept: dict[str, Any] = json.loads(path.read_text())
            return kept
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        kept = {"port": free_port(), "controller": free_port(), "cluster": cluster}
        path.write_text(json.dumps(kept))
        return kept

    def _format(self, properties: Path, cluster: str) -> None:
        asked = command("kafka.tools.StorageTool", "format", "-t", cluster, "-c", str(properties))
        run = subprocess.run(asked, capture_output=True, text=True, check=False)
        if run.returncode != 0:
            raise EngineError(
                f"Kafka could not prepare {self._directory}: {(run.stdout + run.stderr)[-2000:]}"
            )


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
