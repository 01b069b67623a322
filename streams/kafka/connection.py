"""How a Kafka cluster is reached: addresses, TLS, SASL; the same for every client of this process."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from aiokafka.helpers import create_ssl_context

from streams.kafka import hung_up

SCHEME: Final = "kafka://"


@dataclass(frozen=True, slots=True)
class Security:
    """TLS and SASL towards the brokers. Files are PEM; `mechanism` is PLAIN or SCRAM-SHA-256 or -512.

    Without `tls` nothing is encrypted; `ca` None trusts what this machine trusts.
    """

    tls: bool = False
    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None
    mechanism: str | None = None
    username: str = ""
    password: str = field(default="", repr=False)

    def options(self) -> Mapping[str, Any]:
        """Return the arguments that every client of aiokafka takes for it.

        Raises: OSError, ssl.SSLError: a file that can't be used.
        """
        options: dict[str, Any] = {"security_protocol": self._protocol()}
        if self.tls:
            options["ssl_context"] = create_ssl_context(
                cafile=_text(self.ca), certfile=_text(self.cert), keyfile=_text(self.key)
            )
        if self.mechanism is not None:
            options["sasl_mechanism"] = self.mechanism
            options["sasl_plain_username"] = self.username
            options["sasl_plain_password"] = self.password
        return options

    def _protocol(self) -> str:
        if self.mechanism is None:
            return "SSL" if self.tls else "PLAINTEXT"
        return "SASL_SSL" if self.tls else "SASL_PLAINTEXT"


class Connection:
    """The brokers to ask first, and what every client is made with."""

    def __init__(self, servers: tuple[str, ...], security: Security | None = None) -> None:
        """Read the files of `security` once.

        Raises: OSError, ssl.SSLError.
        """
        hung_up.mend()
        self.servers = servers
        self._security = (security or Security()).options()

    def options(self, seconds: float) -> dict[str, Any]:
        """Return the arguments of a client whose requests may take `seconds`."""
        return {
            "bootstrap_servers": list(self.servers),
            "request_timeout_ms": int(seconds * 1000),
            "client_id": "sluice",
            **self._security,
        }

    def __str__(self) -> str:
        return ",".join(self.servers)


def servers_of(url: str) -> tuple[str, ...]:
    """Return the brokers of `kafka://host:port,host:port`.

    Raises: ValueError, with a sentence, where one has no port.
    """
    servers = tuple(part.strip() for part in url.removeprefix(SCHEME).strip("/").split(",") if part.strip())
    for server in servers:
        host, _, port = server.rpartition(":")
        if not host or not port.isdigit() or not 0 < int(port) < 65_536:
            raise ValueError(f"{server!r} is not host:port")
    if not servers:
        raise ValueError("it names no broker")
    return servers


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)
