"""TLS and a login towards Kafka, as the settings give them."""

import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from infra.dev.kafka import Kafka
from infra.on_kafka import kafka_plan
from infra.settings import load
from streams.kafka.log import KafkaLog
from streams.log import LogAway
from tests.engines.kafka_broker import kafka_broker

PASSWORD = "over-the-wire"
SECURE = """\
listeners=PLAINTEXT://127.0.0.1:{{port}},SECURE://127.0.0.1:{secure},CONTROLLER://127.0.0.1:{{controller}}
advertised.listeners=PLAINTEXT://127.0.0.1:{{port}},SECURE://127.0.0.1:{secure}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,SECURE:SASL_SSL,CONTROLLER:PLAINTEXT
inter.broker.listener.name=PLAINTEXT
sasl.enabled.mechanisms=PLAIN
listener.name.secure.sasl.enabled.mechanisms=PLAIN
listener.name.secure.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required \
user_sluice="{password}";
listener.name.secure.ssl.keystore.type=PEM
listener.name.secure.ssl.keystore.location={keystore}
listener.name.secure.ssl.client.auth=none
"""


@dataclass(frozen=True)
class Secure:
    url: str
    ca: Path


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secure]:
    """A Kafka with a listener that wants TLS and a password."""
    data = tmp_path_factory.mktemp("secure")
    key, cert, both = data / "key.pem", data / "cert.pem", data / "both.pem"
    made = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=127.0.0.1",
    ]
    names = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(cert)]
    subprocess.run([*made, *names], check=True, capture_output=True)
    both.write_text(key.read_text() + cert.read_text())
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    engine = Kafka(data, SECURE.format(secure=port, password=PASSWORD, keystore=both))
    engine.up()
    yield Secure(f"kafka://127.0.0.1:{port}", cert)
    engine.down()


async def test_a_broker_runs_over_tls_and_a_login_its_agents_too(data: Path, secure: Secure) -> None:
    flags = {
        "kafka_tls": True,
        "kafka_ca": secure.ca,
        "kafka_sasl": "PLAIN",
        "kafka_username": "sluice",
        "kafka_password": PASSWORD,
        "kafka_compression": "lz4",
    }
    async with kafka_broker(data, secure.url, **flags) as client:
        answer = await client.post("/v1/write/acme/d", json=[{"n": 1}])
        assert (answer.status, answer.json["ack"]) == (200, "stored")


@pytest.mark.parametrize(
    ("password", "trusted"), [("wrong", True), (PASSWORD, False)], ids=["another password", "not trusted"]
)
async def test_who_is_not_let_in_says_where_and_nothing_of_the_password(
    secure: Secure, password: str, trusted: bool
) -> None:
    flags = {"kafka_ca": secure.ca} if trusted else {}
    login = {"kafka_sasl": "PLAIN", "kafka_username": "sluice", "kafka_password": password}
    settings = load({"kafka_tls": True, **login, **flags}).model_copy(update={"log": secure.url})
    with pytest.raises(LogAway) as refused:
        await KafkaLog.open(kafka_plan(settings))
    assert secure.url.removeprefix("kafka://") in str(refused.value)
    assert password not in str(refused.value)
