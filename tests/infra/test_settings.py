"""Settings: where they come from, what is refused, and that every refusal is a sentence."""

import re
from pathlib import Path

import pytest

from infra.settings import PREFIX, Settings, WrongSetting, load
from rules.limits import Limits

MB = 2**20
SECOND = 10**9


def refused(**flags: object) -> str:
    with pytest.raises(WrongSetting) as caught:
        load(flags)
    return str(caught.value)


def refused_from(monkeypatch: pytest.MonkeyPatch, **environment: str) -> str:
    with monkeypatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        return refused()


def test_unless_set_they_are_what_the_contract_says() -> None:
    settings = load()
    assert (settings.host, settings.port, settings.data) == ("127.0.0.1", 8080, Path("data"))
    assert (settings.log, settings.database, settings.admin_token) == ("embedded://", None, None)
    assert settings.auth is True
    assert settings.allow_private_targets is False
    assert settings.cors_origins == ()
    assert settings.partitions == 8
    assert settings.max_inflight == 64 * MB
    assert (settings.backlog_bytes, settings.backlog_age) == (256 * MB, 60 * SECOND)
    assert settings.free_disk == 1024 * MB
    assert (settings.quota_records, settings.quota_bytes) == (0, 0)
    assert settings.linger == 2_000_000
    assert (settings.session, settings.heartbeat) == (6 * SECOND, SECOND)
    assert settings.stop_deadline == 20 * SECOND
    assert settings.max_upload == 10 * 1024 * MB
    assert settings.events_keep == 7 * 86_400 * SECOND
    assert settings.log_format == "auto"
    assert settings.limits() == Limits()


def test_the_environment_wins_over_defaults_and_flags_over_both(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLUICE_PORT", "9000")
    monkeypatch.setenv("SLUICE_HOST", "::1")
    settings = load({"port": 9001, "host": None, "linger": "5ms"})
    assert (settings.port, settings.host, settings.linger) == (9001, "::1", 5_000_000)
    assert [settings.origin(n) for n in ("port", "host", "linger", "data")] == [
        "flag",
        "environment",
        "flag",
        "default",
    ]


def test_an_empty_variable_counts_as_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLUICE_PORT", "")
    assert (load().port, load().origin("port")) == (8080, "default")


def test_a_misspelt_variable_is_refused_with_the_name_that_was_meant(monkeypatch: pytest.MonkeyPatch) -> None:
    sentence = refused_from(monkeypatch, SLUICE_PROT="9000")
    assert sentence.startswith("SLUICE_PROT is not a setting; did you mean SLUICE_PORT?")
    assert refused_from(monkeypatch, SLUICE_XYZZY="1").startswith("SLUICE_XYZZY is not a setting. `sluice")


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("PORT", "80800", "SLUICE_PORT=80800 is wrong: the most is 65535."),
        ("PORT", "http", "SLUICE_PORT=http is wrong: input should be a valid integer"),
        ("PORT", "80\n81", "SLUICE_PORT=80?81 is wrong: input"),
        ("PARTITIONS", "0", "SLUICE_PARTITIONS=0 is wrong: the least is 1."),
        ("MAX_INFLIGHT", "1KB", "SLUICE_MAX_INFLIGHT=1KB is wrong: the least is 64KB."),
        ("MAX_INFLIGHT", "lots", "SLUICE_MAX_INFLIGHT=lots is wrong: a size is"),
        ("MAX_RECORD", "2MB", "SLUICE_MAX_RECORD=2MB is wrong: the most is 1MB."),
        ("LINGER", "2", "SLUICE_LINGER=2 is wrong: "),
        ("SESSION", "10ms", "SLUICE_SESSION=10ms is wrong: the least is 1s."),
        ("AUTH", "maybe", "SLUICE_AUTH=maybe is wrong: "),
        ("LOG_FORMAT", "xml", "SLUICE_LOG_FORMAT=xml is wrong: "),
        ("CORS_ORIGINS", "example.com", "SLUICE_CORS_ORIGINS=example.com is wrong: "),
        ("CORS_ORIGINS", "https://a.b/path", "SLUICE_CORS_ORIGINS=https://a.b/path is wrong: "),
        ("TLS_CERT", "/nowhere.pem", "SLUICE_TLS_CERT=/nowhere.pem is wrong: path does not point to a file."),
        ("LOG", "redis://x", "SLUICE_LOG must be embedded://"),
        ("DATABASE", "mysql://x", "SLUICE_DATABASE must be postgresql://"),
        ("DATABASE", "postgresql://u:hunter2@h/d", "SLUICE_LOG=kafka://… goes with"),
        ("LOG", "kafka://h:9092", "SLUICE_LOG=kafka://… goes with"),
        ("HEARTBEAT", "3s", "SLUICE_HEARTBEAT must be at most a third of SLUICE_SESSION"),
    ],
)
def test_a_wrong_value_is_one_sentence_that_names_it(
    name: str, value: str, sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = refused_from(monkeypatch, **{PREFIX + name: value})
    assert found.startswith(sentence)
    assert found.endswith(".")
    assert "\n" not in found
    assert "hunter2" not in found


def test_a_wrong_flag_is_named_as_a_flag() -> None:
    assert refused(stop_deadline="500ms") == "--stop-deadline 500ms is wrong: the least is 1s."


def test_kafka_and_postgresql_go_together() -> None:
    pair = load({"log": "kafka://h:9092,i:9092", "database": "postgresql://h/d"})
    assert (pair.log, pair.database) == ("kafka://h:9092,i:9092", "postgresql://h/d")


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        ({"kafka_sasl": "PLAIN"}, "SLUICE_KAFKA_SASL, SLUICE_KAFKA_USERNAME and SLUICE_KAFKA_PASSWORD go"),
        ({"kafka_username": "u", "kafka_password": "p"}, "SLUICE_KAFKA_SASL, SLUICE_KAFKA_USERNAME and"),
        ({"kafka_ca": __file__}, "SLUICE_KAFKA_CA, _CERT and _KEY are for TLS"),
        ({"kafka_tls": True, "kafka_cert": __file__}, "SLUICE_KAFKA_CERT and SLUICE_KAFKA_KEY go together"),
        ({"kafka_prefix": "no spaces"}, "--kafka-prefix no spaces is wrong"),
        ({"kafka_compression": "rar"}, "--kafka-compression rar is wrong"),
    ],
)
def test_what_of_kafkas_settings_does_not_fit_is_named(flags: dict[str, object], sentence: str) -> None:
    assert refused(**flags).startswith(sentence)


def test_only_one_of_certificate_and_key_is_refused(tmp_path: Path) -> None:
    pem = tmp_path / "cert.pem"
    pem.touch()
    assert "go together" in refused(tls_cert=pem)
    assert load({"tls_cert": pem, "tls_key": pem}).tls_key == pem


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "[::1]", "localhost"])
def test_without_tokens_it_listens_on_loopback(host: str) -> None:
    assert load({"auth": "off", "host": host}).auth is False


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "example.com", "localhost.example.com", ""])
def test_without_tokens_it_does_not_listen_elsewhere(host: str) -> None:
    assert "SLUICE_AUTH=off is allowed only on loopback" in refused(auth="off", host=host)
    assert load({"host": host}).loopback is False


def test_origins_are_written_with_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLUICE_CORS_ORIGINS", "https://a.example, http://localhost:3000,")
    assert load().cors_origins == ("https://a.example", "http://localhost:3000")


def test_a_token_that_no_header_could_carry_is_refused_and_not_repeated() -> None:
    sentence = refused(admin_token="hunter2 hunter2")
    assert sentence.startswith("--admin-token … is wrong: a token is 1 to 256")
    assert "hunter2" not in sentence


def test_the_list_of_settings_hides_secrets() -> None:
    settings = load({"admin_token": "hunter2hunter2", "max_inflight": "1536KB"})
    knobs = {knob.name: knob for knob in settings.describe()}
    assert knobs["SLUICE_ADMIN_TOKEN"][1:3] == ("(hidden)", "flag")
    assert knobs["SLUICE_MAX_INFLIGHT"][1:3] == ("1536KB", "flag")
    assert knobs["SLUICE_EVENTS_KEEP"][1:3] == ("7d", "default")
    assert "hunter2" not in repr(settings) + str(settings.describe())


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("postgresql://u@h/d?password=hunter2&sslpassword=hunter2", "u@h/d?password=…&sslpassword=…"),
        ("postgresql://u@h/d?sslmode=require&PASSWORD=hunter2", "u@h/d?sslmode=require&PASSWORD=…"),
        ("postgresql://u@h/d?p%61ssword=hunter2", "u@h/d?p%61ssword=…"),
        ("postgresql://u:hunter2/hunter2@h/d", "u:…@h/d"),
        ("postgresql://u:hunter2@hunter2@h/d", "u:…@h/d"),
        ("postgresql://u:hunter2?hunter2@h/d", "u:…@h/d"),
        ("postgresql://h:5432/d?port=5433", "h:5432/d?port=5433"),
    ],
)
def test_an_address_is_shown_without_its_secrets(address: str, shown: str) -> None:
    settings = load({"database": address, "log": "kafka://h:9092"})
    knobs = {knob.name: knob for knob in settings.describe()}
    assert knobs["SLUICE_DATABASE"].value == f"postgresql://{shown}"


def test_every_setting_has_a_sentence_and_shows_a_value_that_reads_back(tmp_path: Path) -> None:
    pem = tmp_path / "pem"
    pem.touch()
    given = load({"cors_origins": "*", "tls_cert": pem, "tls_key": pem})
    knobs = given.describe()
    assert len(knobs) == len(Settings.model_fields)
    assert all(re.fullmatch(r"[A-Z][^\n]{10,100}\.", knob.sentence) for knob in knobs)
    shown = {k.name.removeprefix(PREFIX).lower(): k.value for k in knobs if k.value != "(none)"}
    assert load(shown).model_dump() == given.model_dump()


def test_settings_do_not_change() -> None:
    with pytest.raises(ValueError, match="frozen"):
        load().port = 1
