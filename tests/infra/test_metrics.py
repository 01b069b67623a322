"""Metrics: all that parts may report is there, described, and bounded."""

import ast
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from typing import get_args

import pytest
from prometheus_client.parser import text_string_to_metric_families

from infra.metrics import CONTENT_TYPE, COUNTERS, GAUGES, MAX_CHILDREN, TIMINGS, Described, PrometheusMeter
from rules.signals import METRIC_PREFIX, Counter, Gauge, Meter, Timing
from tests.house.test_layers import SOURCES, named, tree

METHODS = {"count": get_args(Counter), "gauge": get_args(Gauge), "time": get_args(Timing)}
ALL: dict[str, Described] = {
    **{str(name): it for name, it in COUNTERS.items()},
    **{str(name): it for name, it in GAUGES.items()},
    **{str(name): it for name, it in TIMINGS.items()},
}


@pytest.fixture
def meter() -> PrometheusMeter:
    return PrometheusMeter()


def samples(meter: PrometheusMeter, name: str) -> dict[tuple[str, ...], float]:
    """Return the values of one series by its label values."""
    return {
        tuple(sample.labels.values()): sample.value
        for family in text_string_to_metric_families(meter.render().decode())
        for sample in family.samples
        if sample.name == METRIC_PREFIX + name
    }


def test_what_is_described_is_what_may_be_reported() -> None:
    assert set(COUNTERS) == set(get_args(Counter))
    assert set(GAUGES) == set(get_args(Gauge))
    assert set(TIMINGS) == set(get_args(Timing))


def test_every_metric_is_on_the_page_from_the_start(meter: PrometheusMeter) -> None:
    as_meter: Meter = meter
    assert as_meter is meter
    assert CONTENT_TYPE.startswith("text/plain")
    families = {family.name: family for family in text_string_to_metric_families(meter.render().decode())}
    for name, described in ALL.items():
        family = families[METRIC_PREFIX + name.removesuffix("_total")]
        assert family.documentation == described.help
    assert "process_resident_memory_bytes" in families
    assert not [name for name in families if name.endswith("_created")]


def test_counters_add_gauges_are_set_and_timings_are_counted(meter: PrometheusMeter) -> None:
    meter.count("writes_total", outcome="logged")
    meter.count("writes_total", 4, outcome="logged")
    meter.count("records_accepted_total", 500)
    meter.gauge("backlog_bytes", 7, partition="3")
    meter.gauge("backlog_bytes", 5, partition="3")
    meter.time("write_seconds", 0.003)
    meter.time("write_seconds", 0.004)
    assert samples(meter, "writes_total") == {("logged",): 5}
    assert samples(meter, "records_accepted_total") == {(): 500}
    assert samples(meter, "backlog_bytes") == {("3",): 5}
    assert samples(meter, "write_seconds_count") == {(): 2}
    assert samples(meter, "write_seconds_sum") == {(): pytest.approx(0.007)}


def test_two_meters_share_nothing(meter: PrometheusMeter) -> None:
    meter.count("events_judged_total", 3)
    assert samples(PrometheusMeter(), "events_judged_total") == {(): 0}


def test_label_values_past_the_bound_are_counted_together(meter: PrometheusMeter) -> None:
    for number in range(MAX_CHILDREN + 50):
        meter.count("records_refused_total", code=f"code_{number}")
        meter.count("records_refused_total", code="code_0")
    found = samples(meter, "records_refused_total")
    assert len(found) == MAX_CHILDREN + 1
    assert found[("other",)] == 50
    assert found[("code_0",)] == MAX_CHILDREN + 51
    assert samples(meter, "records_quarantined_total") == {}


def test_a_long_label_value_is_not_kept(meter: PrometheusMeter) -> None:
    meter.count("records_refused_total", code="x" * 10_000)
    assert samples(meter, "records_refused_total") == {("other",): 1}


@pytest.mark.parametrize("labels", [{}, {"kode": "x"}, {"code": "x", "more": "y"}])
def test_other_labels_than_those_described_are_refused(
    meter: PrometheusMeter, labels: dict[str, str]
) -> None:
    with pytest.raises(ValueError, match=r"records_refused_total has the labels \('code',\)"):
        meter.count("records_refused_total", **labels)
    with pytest.raises(ValueError, match="write_seconds"):
        meter.time("write_seconds", 1.0, code="x")


def test_threads_may_report_at_the_same_time(meter: PrometheusMeter) -> None:
    def report() -> None:
        for number in range(1_000):
            meter.count("records_refused_total", code=f"code_{number % 300}")

    threads = [Thread(target=report) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = samples(meter, "records_refused_total")
    assert sum(found.values()) == 4_000
    assert len(found) == MAX_CHILDREN + 1


def reports(path: Path) -> Iterator[tuple[str, str, set[str]]]:
    """Yield place, metric and label names of each report in a file; labels given as `**` are left out."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args:
            name = str(node.args[0].value) if isinstance(node.args[0], ast.Constant) else ""
            if name in METHODS.get(node.func.attr, ()) and all(keyword.arg for keyword in node.keywords):
                yield (
                    f"{named(path)}:{node.lineno}",
                    str(name),
                    {str(keyword.arg) for keyword in node.keywords},
                )


def test_parts_report_with_the_labels_that_are_described() -> None:
    found = [report for path in SOURCES for report in reports(path)]
    assert [report for report in found if report[2] != set(ALL[report[1]].labels)] == []
