"""Metrics for Prometheus: every name of `rules.signals`, its meaning, its labels, and their bound."""

from collections.abc import Mapping
from threading import Lock
from typing import Final, NamedTuple, cast

import prometheus_client as prometheus
from prometheus_client.metrics import MetricWrapperBase

from rules.signals import METRIC_PREFIX, Counter, Gauge, Timing

CONTENT_TYPE: Final = prometheus.CONTENT_TYPE_LATEST
MAX_CHILDREN: Final = 200
MAX_LABEL_CHARS: Final = 100
OTHER: Final = "other"

_SECONDS: Final = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)


class Described(NamedTuple):
    """What a metric means, and the names of its labels."""

    help: str
    labels: tuple[str, ...] = ()


COUNTERS: Final[Mapping[Counter, Described]] = {
    "writes_total": Described(
        "Writes by outcome: logged, stored, published, partial, refused, unknown.", ("outcome",)
    ),
    "records_accepted_total": Described("Records taken at the door."),
    "records_refused_total": Described("Records refused at the door, by code.", ("code",)),
    "records_stored_total": Described(
        "Records applied, by outcome: inserted, replaced, ignored, deleted.", ("outcome",)
    ),
    "records_quarantined_total": Described("Records set aside, by code.", ("code",)),
    "events_judged_total": Described("Events that a rule could have matched."),
    "alerts_total": Described("Alerts raised, by severity.", ("severity",)),
    "rule_errors_total": Described("Conditions that failed on an event."),
    "deliveries_total": Described(
        "Webhook attempts by outcome: delivered, failed, given_up, refused.", ("outcome",)
    ),
    "requests_total": Described("HTTP requests by status class.", ("status",)),
    "retries_total": Described("Batches tried again, by role.", ("role",)),
}
GAUGES: Final[Mapping[Gauge, Described]] = {
    "inflight_bytes": Described("Bytes of writes between their arrival and their answer."),
    "backlog_bytes": Described("Bytes in the log that are not applied yet, by partition.", ("partition",)),
    "log_bytes": Described("Bytes of the log on disk, by topic.", ("topic",)),
    "streams_open": Described("Server-sent event streams that are open, by kind.", ("kind",)),
    "deliveries_due": Described("Deliveries that wait to be made."),
}
TIMINGS: Final[Mapping[Timing, Described]] = {
    "write_seconds": Described("From a request's first byte to its answer."),
    "request_seconds": Described("Any other request, from its head to the head of its answer."),
    "fsync_seconds": Described("One fsync of the log, by topic.", ("topic",)),
    "apply_seconds": Described("One batch from taken to committed, by role.", ("role",)),
    "judge_lag_seconds": Described("From a record's arrival to its judgement."),
    "delivery_seconds": Described("One webhook attempt."),
}


class PrometheusMeter:
    """A `rules.signals.Meter` whose numbers Prometheus can read.

    A call names exactly the labels its metric is described with, in any order. A metric has at most 200
    sets of label values; what comes later is counted together, under `other`, so neither memory nor the
    size of `/metrics` follows what somebody sends.

    Raises, from every call: ValueError, for labels that are not those of the metric.
    """

    def __init__(self) -> None:
        # Each counter would have a second series with the time of its making.
        prometheus.disable_created_metrics()  # type: ignore[no-untyped-call]
        self._registry = prometheus.CollectorRegistry()
        prometheus.ProcessCollector(registry=self._registry)
        self._metrics: dict[str, MetricWrapperBase] = {
            **{name: self._made(prometheus.Counter, name, it) for name, it in COUNTERS.items()},
            **{name: self._made(prometheus.Gauge, name, it) for name, it in GAUGES.items()},
            **{name: self._made_timing(name, it) for name, it in TIMINGS.items()},
        }
        self._labels: dict[str, tuple[str, ...]] = {
            **{name: it.labels for name, it in COUNTERS.items()},
            **{name: it.labels for name, it in GAUGES.items()},
            **{name: it.labels for name, it in TIMINGS.items()},
        }
        self._children: dict[object, MetricWrapperBase] = {
            name: metric for name, metric in self._metrics.items() if not self._labels[name]
        }
        self._known: dict[str, set[tuple[str, ...]]] = {name: set() for name in self._metrics}
        self._lock = Lock()

    def count(self, name: Counter, amount: float = 1, /, **labels: str) -> None:
        """Add `amount` to a counter."""
        child = self._children.get((name, *labels.items()) if labels else name)
        cast(prometheus.Counter, child or self._child(name, labels)).inc(amount)

    def gauge(self, name: Gauge, value: float, /, **labels: str) -> None:
        """Set a gauge to `value`."""
        child = self._children.get((name, *labels.items()) if labels else name)
        cast(prometheus.Gauge, child or self._child(name, labels)).set(value)

    def time(self, name: Timing, seconds: float, /, **labels: str) -> None:
        """Add one duration to a timing."""
        child = self._children.get((name, *labels.items()) if labels else name)
        cast(prometheus.Histogram, child or self._child(name, labels)).observe(seconds)

    def render(self) -> bytes:
        """Return the body of `/metrics`, in the text format that `CONTENT_TYPE` names."""
        return prometheus.generate_latest(self._registry)

    def _made(self, kind: type[MetricWrapperBase], name: str, described: Described) -> MetricWrapperBase:
        return kind(METRIC_PREFIX + name, described.help, described.labels, registry=self._registry)

    def _made_timing(self, name: str, described: Described) -> MetricWrapperBase:
        return prometheus.Histogram(
            METRIC_PREFIX + name,
            described.help,
            described.labels,
            registry=self._registry,
            buckets=_SECONDS,
        )

    def _child(self, name: str, labels: dict[str, str]) -> MetricWrapperBase:
        names = self._labels[name]
        if labels.keys() != set(names):
            raise ValueError(f"The metric {name} has the labels {names}, and was given {tuple(labels)}.")
        values = tuple(str(labels[each]) for each in names)
        with self._lock:
            known = self._known[name]
            too_long = any(len(value) > MAX_LABEL_CHARS for value in values)
            if too_long or (values not in known and len(known) >= MAX_CHILDREN):
                # Not cached: the cache would grow with what the bound is there to stop.
                return self._metrics[name].labels(*(OTHER for _ in names))
            known.add(values)
            child = self._metrics[name].labels(*values)
            self._children[(name, *labels.items())] = child
        return child
