"""Metrics for Prometheus: every name of `rules.signals`, its meaning, its labels, and their bound."""

from bisect import bisect_left
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import accumulate
from threading import Lock
from typing import Final, NamedTuple, TypeVar

import prometheus_client as prometheus
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from rules.signals import METRIC_PREFIX, Counter, Gauge, Timing

CONTENT_TYPE: Final = prometheus.CONTENT_TYPE_LATEST
MAX_CHILDREN: Final = 200
MAX_LABEL_CHARS: Final = 100
OTHER: Final = "other"

_SECONDS: Final = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
_BOUNDS: Final = (*map(str, _SECONDS), "+Inf")

Values = tuple[str, ...]
Key = tuple[str | tuple[str, str], ...]
"""A metric's name and the labels as they were given."""

T = TypeVar("T")


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
    "loads_total": Described(
        "Batch loads that ended, by outcome: ingested, failed, cancelled.", ("outcome",)
    ),
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
    "loads_open": Described("Batch loads that have not ended."),
}
TIMINGS: Final[Mapping[Timing, Described]] = {
    "write_seconds": Described("From a request's first byte to its answer."),
    "request_seconds": Described("Any other request, from its head to the head of its answer."),
    "fsync_seconds": Described("One fsync of the log, by topic.", ("topic",)),
    "apply_seconds": Described("One batch from taken to committed, by role.", ("role",)),
    "judge_lag_seconds": Described("From a record's arrival to its judgement."),
    "delivery_seconds": Described("One webhook attempt."),
}


_ALL: Final[Mapping[str, Described]] = {
    str(name): it for each in (COUNTERS, GAUGES, TIMINGS) for name, it in each.items()
}


@dataclass(slots=True)
class _Spread:
    """Durations by bucket; the last one holds what is longer than all bounds."""

    counts: list[int] = field(default_factory=lambda: [0] * (len(_SECONDS) + 1))
    sum: float = 0.0


class PrometheusMeter:
    """A `rules.signals.Meter` whose numbers Prometheus can read.

    A call names exactly the labels its metric is described with, in any order. A metric has at most 200
    sets of label values; what comes later is counted together, under `other`, so neither memory nor the
    size of `/metrics` follows what somebody sends.

    Each write reports four numbers, so they are kept in plain dictionaries and handed to Prometheus when it
    asks: its own children take four times as long. Threads may report at the same time.

    Raises, from every call: ValueError, for labels that are not those of the metric.
    """

    def __init__(self) -> None:
        self._registry = prometheus.CollectorRegistry()
        prometheus.ProcessCollector(registry=self._registry)
        self._registry.register(self)
        self._lock = Lock()
        self._labels = {name: it.labels for name, it in _ALL.items()}
        self._sets: dict[str, set[Values]] = {name: set() for name in _ALL}
        self._known: dict[Key, Values] = {(name,): () for name, it in _ALL.items() if not it.labels}
        self._values: dict[tuple[str, Values], float] = {
            (name, ()): 0.0 for name, it in (*COUNTERS.items(), *GAUGES.items()) if not it.labels
        }
        self._spreads: dict[tuple[str, Values], _Spread] = {
            (name, ()): _Spread() for name, it in TIMINGS.items() if not it.labels
        }

    def count(self, name: Counter, amount: float = 1, /, **labels: str) -> None:
        """Add `amount` to a counter."""
        values = self._known.get((name, *labels.items()))
        place = (name, self._learn(name, labels) if values is None else values)
        with self._lock:
            self._values[place] = self._values.get(place, 0.0) + amount

    def gauge(self, name: Gauge, value: float, /, **labels: str) -> None:
        """Set a gauge to `value`."""
        values = self._known.get((name, *labels.items()))
        self._values[name, self._learn(name, labels) if values is None else values] = value

    def time(self, name: Timing, seconds: float, /, **labels: str) -> None:
        """Add one duration to a timing."""
        values = self._known.get((name, *labels.items()))
        place = (name, self._learn(name, labels) if values is None else values)
        with self._lock:
            spread = self._spreads.get(place)
            if spread is None:
                spread = self._spreads[place] = _Spread()
            spread.counts[bisect_left(_SECONDS, seconds)] += 1
            spread.sum += seconds

    def render(self) -> bytes:
        """Return the body of `/metrics`, in the text format that `CONTENT_TYPE` names."""
        return prometheus.generate_latest(self._registry)

    def collect(self) -> Iterator[Metric]:
        """Yield every metric as it stands: what a registry asks of a collector."""
        for name, it in COUNTERS.items():
            counter = CounterMetricFamily(METRIC_PREFIX + name, it.help, labels=it.labels)
            for values, value in self._found(self._values, name):
                counter.add_metric(values, value)
            yield counter
        for gauge_name, it in GAUGES.items():
            gauge = GaugeMetricFamily(METRIC_PREFIX + gauge_name, it.help, labels=it.labels)
            for values, value in self._found(self._values, gauge_name):
                gauge.add_metric(values, value)
            yield gauge
        for timing, it in TIMINGS.items():
            spreads = HistogramMetricFamily(METRIC_PREFIX + timing, it.help, labels=it.labels)
            for values, spread in self._found(self._spreads, timing):
                counts = zip(_BOUNDS, accumulate(spread.counts), strict=True)
                spreads.add_metric(values, [(bound, float(n)) for bound, n in counts], spread.sum)
            yield spreads

    def _found(self, kept: Mapping[tuple[str, Values], T], name: str) -> list[tuple[Values, T]]:
        with self._lock:
            return [(values, one) for (whose, values), one in kept.items() if whose == name]

    def _learn(self, name: str, labels: Mapping[str, str]) -> Values:
        """Return the label values to count under: those given or, past the bound, `other`."""
        names = self._labels[name]
        if labels.keys() != set(names):
            raise ValueError(f"The metric {name} has the labels {names}, and was given {tuple(labels)}.")
        values = tuple(str(labels[each]) for each in names)
        with self._lock:
            sets = self._sets[name]
            too_long = any(len(value) > MAX_LABEL_CHARS for value in values)
            if too_long or (values not in sets and len(sets) >= MAX_CHILDREN):
                # Not remembered: what is would grow with what the bound is there to stop.
                return tuple(OTHER for _ in names)
            sets.add(values)
            self._known[name, *labels.items()] = values
        return values
