"""Names of metrics and of log actions: one list each, so none can be misspelt or go undocumented."""

from typing import Final, Literal, Protocol

Counter = Literal[
    "writes_total",  # writes by outcome: logged, stored, published, partial, refused, unknown
    "records_accepted_total",  # records taken at the door
    "records_refused_total",  # records refused at the door, by code
    "records_stored_total",  # records applied, by outcome: inserted, replaced, ignored, deleted
    "records_quarantined_total",  # records set aside, by code
    "loads_total",  # batch loads that ended, by outcome: ingested, failed, cancelled
    "events_judged_total",  # events a rule could have matched
    "alerts_total",  # alerts raised, by severity
    "rule_errors_total",  # conditions that failed on an event
    "deliveries_total",  # webhook attempts, by outcome: delivered, failed, given_up, refused
    "requests_total",  # HTTP requests, by status class
    "retries_total",  # batches tried again, by role
]
Gauge = Literal[
    "inflight_bytes",  # bytes of writes between their arrival and their answer
    "backlog_bytes",  # bytes in the log that are not applied yet, by partition
    "log_bytes",  # bytes of the log on disk, by topic
    "streams_open",  # server-sent event streams, by kind
    "deliveries_due",  # deliveries waiting
    "loads_open",  # batch loads that have not ended
]
Timing = Literal[
    "write_seconds",  # from the request's first byte to its answer
    "request_seconds",  # any other request, from its head to its answer's head
    "fsync_seconds",  # one fsync of the log
    "apply_seconds",  # one batch from taken to committed, by role
    "judge_lag_seconds",  # from a record's arrival to its judgement
    "delivery_seconds",  # one webhook attempt
]

Action = Literal[
    "start",
    "ready",
    "stop",
    "stopped",
    "first_start",
    "insecure",
    "log_cut",
    "log_away",
    "log_back",
    "batch_retried",
    "partition_stopped",
    "incarnation_raised",
    "store_lost",
    "store_back",
    "view_dropped",
    "rule_pending",
    "rule_error",
    "delivery_failed",
    "delivery_given_up",
    "subscription_disabled",
    "request_failed",
    "query_failed",
    "task_died",
    "prune",
    "load_waits",
    "load_failed",
    "demo",
]

METRIC_PREFIX: Final = "sluice_"


class Meter(Protocol):
    """Where parts report what they did. Labels come from small fixed sets, never from callers."""

    def count(self, name: Counter, amount: float = 1, /, **labels: str) -> None: ...
    def gauge(self, name: Gauge, value: float, /, **labels: str) -> None: ...
    def time(self, name: Timing, seconds: float, /, **labels: str) -> None: ...


class SilentMeter:
    """A meter that keeps nothing."""

    def count(self, name: Counter, amount: float = 1, /, **labels: str) -> None:
        """Ignore it."""

    def gauge(self, name: Gauge, value: float, /, **labels: str) -> None:
        """Ignore it."""

    def time(self, name: Timing, seconds: float, /, **labels: str) -> None:
        """Ignore it."""
