"""The list of all settings: the name of each, what it is unless set, its bounds, and what it does."""

from pathlib import Path

from pydantic import FilePath, SecretStr
from pydantic_settings import BaseSettings

from infra.knob import Codec, Origins, Prefix, Sasl, Secret, knob
from infra.logs import LogFormat
from infra.units import DAY, GB, SECOND, Duration, Size
from rules.limits import KB, MB


class Knobs(BaseSettings):
    """What can be set, in the order in which it is shown; `infra.settings` reads it and says what fits."""

    host: str = knob("127.0.0.1", "Address to listen on.")
    port: int = knob(8080, "Port to listen on; 0 takes a free one.", 0, 65_535)
    data: Path = knob("data", "Directory of the log, the database and the administrator's token.")
    log: str = knob("embedded://", "The log: embedded:// in the data directory, or kafka://host:port,….")
    database: str | None = knob(None, "The database; without one, SQLite in the data directory.")
    database_writers: int = knob(8, "Connections to PostgreSQL that write.", 1, 64)
    database_readers: int = knob(4, "Connections to PostgreSQL that read.", 1, 64)
    admin_token: Secret | None = knob(None, "The administrator's token, instead of a made one.")
    auth: bool = knob(True, "Ask for tokens; off is allowed only while listening on loopback.")
    cors_origins: Origins = knob("", "Origins whose pages may call, with commas between; * is any.")
    tls_cert: FilePath | None = knob(None, "File of the TLS certificate chain (PEM); with SLUICE_TLS_KEY.")
    tls_key: FilePath | None = knob(None, "File of the TLS private key (PEM); with SLUICE_TLS_CERT.")
    allow_private_targets: bool = knob(False, "Let webhooks go to loopback and private addresses.")
    log_format: LogFormat = knob("auto", "Log lines: json, plain, or auto (plain on a terminal).")

    partitions: int = knob(8, "Partitions of the log; fixed once the log is made.", 1, 256)
    linger: Duration = knob("2ms", "Longest a write waits for others to share its envelope.", 0, SECOND)
    session: Duration = knob(
        "6s", "On Kafka: silence after which a worker is taken for dead.", SECOND, 300 * SECOND
    )
    heartbeat: Duration = knob(
        "1s", "On Kafka: time between a worker's heartbeats.", SECOND // 20, 100 * SECOND
    )
    stop_deadline: Duration = knob("20s", "Longest that stopping may take.", SECOND, 600 * SECOND)
    events_keep: Duration = knob("7d", "How long events stay in the log for backtests.", SECOND)
    alerts_keep: Duration = knob(
        "90d",
        "How long alerts, their notifications and deliveries, and what rules remember are kept.",
        3 * DAY,
    )

    max_inflight: Size = knob(
        "64MB", "Bytes of writes in flight; past it 503, and 413 for one that is larger.", 64 * KB, 1024 * GB
    )
    backlog_bytes: Size = knob("256MB", "Bytes a partition may be behind the log; past it 503.", 64 * KB)
    backlog_age: Duration = knob("60s", "Time a partition may be behind the log; past it 503.", SECOND)
    free_disk: Size = knob("1GB", "Free disk space that is left alone; below it 503.", 0)
    max_connections: int = knob(10_000, "Connections open at once; past it 503.", 16, 1_000_000)
    quota_records: int = knob(0, "Records a second that one token may write; 0: any.", 0, 10**12)
    quota_bytes: Size = knob(0, "Bytes a second that one token may write; 0: any.", 0)

    max_wire: Size = knob("10MB", "Largest body as it arrives.", KB, GB)
    max_body: Size = knob("50MB", "Largest body once it is decompressed.", KB, GB)
    max_lines_wire: Size = knob("32MB", "Largest body of line protocol as it arrives.", KB, GB)
    max_lines_body: Size = knob("250MB", "Largest body of line protocol once it is decompressed.", KB, GB)
    lines_partial: bool = knob(True, "Write the lines that are good where others are not; off: all or none.")
    max_record: Size = knob("1MB", "Largest record.", KB, MB)
    max_columns: int = knob(400, "Columns that a dataset may have.", 1, 1_000)
    max_nesting: int = knob(64, "Depth to which a record may nest.", 1, 128)
    max_upload: Size = knob("10GB", "Largest body of a batch load, decompressed.", KB)
    max_condition: Size = knob("4KB", "Longest condition of a rule.", 16, 64 * KB)
    max_condition_depth: int = knob(32, "Depth to which a condition may nest.", 1, 32)
    max_rules: int = knob(10_000, "Rules that a workspace may have.", 0, 1_000_000)

    kafka_prefix: Prefix = knob("sluice", "What the names of topics and groups in Kafka begin with.")
    kafka_replication: int = knob(0, "Copies of each topic; 0: one a broker, three at most.", 0, 32)
    kafka_compression: Codec = knob("none", "Compression of what goes to Kafka: gzip, snappy, lz4 or zstd.")
    kafka_timeout: Duration = knob(
        "10s", "Time after which an unanswered append counts as unknown.", SECOND, 25 * SECOND
    )
    kafka_tls: bool = knob(False, "Speak TLS with Kafka.")
    kafka_ca: FilePath | None = knob(None, "File of the authorities trusted for Kafka (PEM).")
    kafka_cert: FilePath | None = knob(None, "File of our certificate for Kafka (PEM).")
    kafka_key: FilePath | None = knob(None, "File of that certificate's key (PEM).")
    kafka_sasl: Sasl = knob("none", "How to log in to Kafka: PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512.")
    kafka_username: str | None = knob(None, "Name to log in to Kafka with.")
    kafka_password: SecretStr | None = knob(None, "Password to log in to Kafka with.")
