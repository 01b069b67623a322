"""Every setting of the broker: its name, what it is unless set, what it may be, and what it does.

A value comes from a flag, else from the environment (`SLUICE_…`; an empty one counts as not set), else
it is the default. Sizes are whole bytes and may be written `64MB`, durations are whole nanoseconds and
are written `20s`. Only `infra` knows this class: parts are given plain arguments.
"""

import os
import re
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Final, Literal, NamedTuple, Self

from pydantic import (
    BeforeValidator,
    Field,
    FilePath,
    PrivateAttr,
    SecretStr,
    StringConstraints,
    ValidationError,
    model_validator,
)
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from infra.logs import LogFormat
from infra.units import DAY, GB, SECOND, Duration, Size, Unit
from rules.limits import KB, MB, Limits

PREFIX: Final = "SLUICE_"

Source = Literal["default", "environment", "flag"]

_PASSWORD = re.compile(r"(://[^/@\s]*?:)[^/\s]*@")
_ORIGIN = re.compile(r"\*|https?://[^/\s,?#]+")


class WrongSetting(Exception):
    """A setting that can't be used; its text is the one sentence to print before exit status 2."""


def _read_origins(value: object) -> tuple[str, ...]:
    items = value.split(",") if isinstance(value, str) else value
    if not isinstance(items, Iterable):
        raise ValueError("origins are written with commas between them")
    origins = tuple(item for item in (str(each).strip() for each in items) if item)
    if len(origins) > 100 or not all(_ORIGIN.fullmatch(origin) for origin in origins):
        raise ValueError("it takes up to 100 origins such as https://app.example.com, or *, without a path")
    return origins


def _read_token(value: object) -> object:
    if isinstance(value, str) and not re.fullmatch(r"[!-~]{1,256}", value):
        raise ValueError("a token is 1 to 256 visible ASCII characters, without spaces")
    return value


Origins = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_read_origins)]
Secret = Annotated[SecretStr, BeforeValidator(_read_token)]
Prefix = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$")]
Codec = Literal["none", "gzip", "snappy", "lz4", "zstd"]
Sasl = Literal["none", "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]


def _knob(default: object, sentence: str, least: int | None = None, most: int | None = None) -> Any:
    return Field(default=default, description=sentence, ge=least, le=most)


class Knob(NamedTuple):
    """A setting as `sluice settings` prints it: environment name, value, where it came from, meaning."""

    name: str
    value: str
    origin: Source
    sentence: str


class Settings(BaseSettings):
    """The settings of one process, checked and fixed. Make it with `load`."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, env_ignore_empty=True, extra="forbid")

    host: str = _knob("127.0.0.1", "Address to listen on.")
    port: int = _knob(8080, "Port to listen on; 0 takes a free one.", 0, 65_535)
    data: Path = _knob("data", "Directory of the log, the database and the administrator's token.")
    log: str = _knob("embedded://", "The log: embedded:// in the data directory, or kafka://host:port,….")
    database: str | None = _knob(None, "The database; without one, SQLite in the data directory.")
    database_writers: int = _knob(8, "Connections to PostgreSQL that write.", 1, 64)
    database_readers: int = _knob(4, "Connections to PostgreSQL that read.", 1, 64)
    admin_token: Secret | None = _knob(None, "The administrator's token, instead of a made one.")
    auth: bool = _knob(True, "Ask for tokens; off is allowed only while listening on loopback.")
    cors_origins: Origins = _knob("", "Origins whose pages may call, with commas between; * is any.")
    tls_cert: FilePath | None = _knob(None, "File of the TLS certificate chain (PEM); with SLUICE_TLS_KEY.")
    tls_key: FilePath | None = _knob(None, "File of the TLS private key (PEM); with SLUICE_TLS_CERT.")
    allow_private_targets: bool = _knob(False, "Let webhooks go to loopback and private addresses.")
    log_format: LogFormat = _knob("auto", "Log lines: json, plain, or auto (plain on a terminal).")

    partitions: int = _knob(8, "Partitions of the log; fixed once the log is made.", 1, 256)
    linger: Duration = _knob("2ms", "Longest a write waits for others to share its envelope.", 0, SECOND)
    session: Duration = _knob(
        "6s", "On Kafka: silence after which a worker is taken for dead.", SECOND, 300 * SECOND
    )
    heartbeat: Duration = _knob(
        "1s", "On Kafka: time between a worker's heartbeats.", SECOND // 20, 100 * SECOND
    )
    stop_deadline: Duration = _knob("20s", "Longest that stopping may take.", SECOND, 600 * SECOND)
    events_keep: Duration = _knob("7d", "How long events stay in the log for backtests.", SECOND)
    alerts_keep: Duration = _knob(
        "90d",
        "How long alerts, their notifications and deliveries, and what rules remember are kept.",
        3 * DAY,
    )

    max_inflight: Size = _knob("64MB", "Bytes of writes in flight; past it 503.", 64 * KB, 1024 * GB)
    backlog_bytes: Size = _knob("256MB", "Bytes a partition may be behind the log; past it 503.", 64 * KB)
    backlog_age: Duration = _knob("60s", "Time a partition may be behind the log; past it 503.", SECOND)
    free_disk: Size = _knob("1GB", "Free disk space that is left alone; below it 503.", 0)
    max_connections: int = _knob(10_000, "Connections open at once; past it 503.", 16, 1_000_000)
    quota_records: int = _knob(0, "Records a second that one token may write; 0: any.", 0, 10**12)
    quota_bytes: Size = _knob(0, "Bytes a second that one token may write; 0: any.", 0)

    max_wire: Size = _knob("10MB", "Largest body as it arrives.", KB, GB)
    max_body: Size = _knob("50MB", "Largest body once it is decompressed.", KB, GB)
    max_lines_wire: Size = _knob("32MB", "Largest body of line protocol as it arrives.", KB, GB)
    max_lines_body: Size = _knob("250MB", "Largest body of line protocol once it is decompressed.", KB, GB)
    lines_partial: bool = _knob(True, "Write the lines that are good where others are not; off: all or none.")
    max_record: Size = _knob("1MB", "Largest record.", KB, MB)
    max_columns: int = _knob(400, "Columns that a dataset may have.", 1, 1_000)
    max_nesting: int = _knob(64, "Depth to which a record may nest.", 1, 128)
    max_upload: Size = _knob("10GB", "Largest body of a batch load, decompressed.", KB)
    max_condition: Size = _knob("4KB", "Longest condition of a rule.", 16, 64 * KB)
    max_condition_depth: int = _knob(32, "Depth to which a condition may nest.", 1, 32)
    max_rules: int = _knob(10_000, "Rules that a workspace may have.", 0, 1_000_000)

    kafka_prefix: Prefix = _knob("sluice", "What the names of topics and groups in Kafka begin with.")
    kafka_replication: int = _knob(0, "Copies of each topic; 0: one a broker, three at most.", 0, 32)
    kafka_compression: Codec = _knob("none", "Compression of what goes to Kafka: gzip, snappy, lz4 or zstd.")
    kafka_timeout: Duration = _knob(
        "10s", "Time after which an unanswered append counts as unknown.", SECOND, 25 * SECOND
    )
    kafka_tls: bool = _knob(False, "Speak TLS with Kafka.")
    kafka_ca: FilePath | None = _knob(None, "File of the authorities trusted for Kafka (PEM).")
    kafka_cert: FilePath | None = _knob(None, "File of our certificate for Kafka (PEM).")
    kafka_key: FilePath | None = _knob(None, "File of that certificate's key (PEM).")
    kafka_sasl: Sasl = _knob("none", "How to log in to Kafka: PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512.")
    kafka_username: str | None = _knob(None, "Name to log in to Kafka with.")
    kafka_password: SecretStr | None = _knob(None, "Password to log in to Kafka with.")

    _flags: frozenset[str] = PrivateAttr(default=frozenset())

    def __init__(self, **flags: Any) -> None:
        super().__init__(**flags)
        self._flags = frozenset(flags)

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach the door."""
        try:
            return self.host == "localhost" or ip_address(self.host.strip("[]")).is_loopback
        except ValueError:
            return False

    def origin(self, name: str) -> Source:
        """Return where the value of the field `name` came from."""
        if name in self._flags:
            return "flag"
        return "environment" if name in self.model_fields_set else "default"

    def limits(self) -> Limits:
        """Return the bounds on one request, record or rule."""
        return Limits(
            wire_bytes=self.max_wire,
            body_bytes=self.max_body,
            lines_wire_bytes=self.max_lines_wire,
            lines_body_bytes=self.max_lines_body,
            record_bytes=self.max_record,
            columns=self.max_columns,
            nesting=self.max_nesting,
            condition_bytes=self.max_condition,
            condition_depth=self.max_condition_depth,
            rules_per_workspace=self.max_rules,
        )

    def describe(self) -> list[Knob]:
        """Return every setting for people: in order, secrets hidden."""
        return [
            Knob(PREFIX + name.upper(), _shown(name, getattr(self, name)), self.origin(name), sentence)
            for name, field in type(self).model_fields.items()
            if (sentence := field.description)
        ]

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        for wrong, sentence in _CONFLICTS:
            if wrong(self):
                raise ValueError(sentence)
        return self


_CONFLICTS: Final[tuple[tuple[Callable[[Settings], bool], str], ...]] = (
    (
        lambda s: s.log != "embedded://" and not s.log.startswith("kafka://"),
        "SLUICE_LOG must be embedded://, or kafka://host:port,… for Apache Kafka.",
    ),
    (
        lambda s: not (s.database or "postgresql://").startswith("postgresql://"),
        "SLUICE_DATABASE must be postgresql://…, or not set for SQLite in the data directory.",
    ),
    (
        lambda s: s.log.startswith("kafka://") != (s.database is not None),
        "SLUICE_LOG=kafka://… goes with SLUICE_DATABASE=postgresql://…, and the embedded log with SQLite; "
        "set both or neither.",
    ),
    (
        lambda s: not s.auth and not s.loopback,
        "SLUICE_AUTH=off is allowed only on loopback; set SLUICE_HOST=127.0.0.1, or leave it on.",
    ),
    (
        lambda s: (s.tls_cert is None) != (s.tls_key is None),
        "SLUICE_TLS_CERT and SLUICE_TLS_KEY go together; set both or neither.",
    ),
    (
        lambda s: s.heartbeat * 3 > s.session,
        "SLUICE_HEARTBEAT must be at most a third of SLUICE_SESSION, or one late heartbeat ends a worker.",
    ),
    (
        lambda s: (s.kafka_sasl != "none") != (s.kafka_username is not None and s.kafka_password is not None),
        "SLUICE_KAFKA_SASL, SLUICE_KAFKA_USERNAME and SLUICE_KAFKA_PASSWORD go together; set all or none.",
    ),
    (
        lambda s: not s.kafka_tls and (s.kafka_ca or s.kafka_cert or s.kafka_key) is not None,
        "SLUICE_KAFKA_CA, _CERT and _KEY are for TLS; set SLUICE_KAFKA_TLS=true.",
    ),
    (
        lambda s: (s.kafka_cert is None) != (s.kafka_key is None),
        "SLUICE_KAFKA_CERT and SLUICE_KAFKA_KEY go together; set both or neither.",
    ),
    (lambda s: s.max_record > s.max_body, "SLUICE_MAX_RECORD must not be larger than SLUICE_MAX_BODY."),
)


def load(flags: Mapping[str, object] | None = None) -> Settings:
    """Return the settings of this process. `flags` are by field name; those that are None were not given.

    Raises: WrongSetting, for a value that can't be used and for a `SLUICE_…` variable that is none.
    """
    given = {name: value for name, value in (flags or {}).items() if value is not None}
    known = [name.upper() for name in Settings.model_fields]
    for variable in sorted(key.upper() for key in os.environ if key.upper().startswith(PREFIX)):
        name = variable.removeprefix(PREFIX)
        if name not in known:
            close = get_close_matches(name, known, n=1)
            hint = f"; did you mean {PREFIX}{close[0]}?" if close else "."
            raise WrongSetting(f"{variable} is not a setting{hint} `sluice settings` lists them all.")
    try:
        return Settings(**given)
    except ValidationError as wrong:
        raise WrongSetting(_sentence(wrong.errors()[0], given)) from None


def _sentence(error: ErrorDetails, flags: Mapping[str, object]) -> str:
    if error["type"] == "value_error" and not error["loc"]:
        return str(error["ctx"]["error"])
    name = str(error["loc"][0])
    label = f"--{name.replace('_', '-')} " if name in flags else f"{PREFIX}{name.upper()}="
    value = "…" if name == "admin_token" else _shown(name, error["input"])[:80]
    value = "".join(letter if letter.isprintable() else "?" for letter in value)
    return f"{label}{value} is wrong: {_reason(name, error).rstrip('.')}."


def _reason(name: str, error: ErrorDetails) -> str:
    match error["type"]:
        case "value_error":
            return str(error["ctx"]["error"])
        case "greater_than_equal":
            return f"the least is {_shown(name, error['ctx']['ge'])}"
        case "less_than_equal":
            return f"the most is {_shown(name, error['ctx']['le'])}"
        case _:
            return error["msg"][:1].lower() + error["msg"][1:]


def _shown(name: str, value: object) -> str:
    unit = next((each for each in Settings.model_fields[name].metadata if isinstance(each, Unit)), None)
    match value:
        case None | () | "":
            return "(none)"
        case SecretStr():
            return "(hidden)"
        case bool():
            return "on" if value else "off"
        case tuple():
            return ",".join(map(str, value))
        case int() if unit is not None:
            return unit.show(value)
        case _:
            return _PASSWORD.sub(r"\1…@", str(value))
