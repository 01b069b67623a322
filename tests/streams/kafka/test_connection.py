"""How a cluster is named, and what is wrong with a name."""

from pathlib import Path

import pytest

from streams.kafka.connection import Connection, Security, servers_of


def test_a_list_of_brokers_is_read() -> None:
    assert servers_of("kafka://a:9092,b.example:19092 , [::1]:9") == ("a:9092", "b.example:19092", "[::1]:9")


@pytest.mark.parametrize(
    "url", ["kafka://", "kafka://a", "kafka://a:", "kafka://a:x", "kafka://a:0,b:1", "kafka://:9"]
)
def test_what_is_no_list_of_brokers_is_refused_by_name(url: str) -> None:
    with pytest.raises(ValueError, match=r"is not host:port|names no broker"):
        servers_of(url)


@pytest.mark.parametrize(
    ("tls", "mechanism", "protocol"),
    [
        (False, None, "PLAINTEXT"),
        (True, None, "SSL"),
        (False, "PLAIN", "SASL_PLAINTEXT"),
        (True, "SCRAM-SHA-256", "SASL_SSL"),
    ],
)
def test_security_is_what_the_settings_say(tls: bool, mechanism: str | None, protocol: str) -> None:
    options = Connection(
        ("a:1",), Security(tls=tls, mechanism=mechanism, username="u", password="p")
    ).options(3)
    assert options["security_protocol"] == protocol
    assert ("ssl_context" in options) == tls
    assert options.get("sasl_plain_password") == (None if mechanism is None else "p")
    assert options["request_timeout_ms"] == 3000


def test_a_password_is_in_no_text_of_it() -> None:
    assert "geheim" not in repr(Security(password="geheim"))


def test_a_file_that_is_not_there_is_an_error_at_once(tmp_path: Path) -> None:
    with pytest.raises(OSError):
        Connection(("a:1",), Security(tls=True, ca=tmp_path / "none.pem"))
