import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.alerting.alert import Acknowledgement, Alert, acknowledge, alert_from_json
from rules.errors import ALREADY_RESOLVED, Problem

moments = st.integers(-(2**63), 2**63 - 1)
values = st.none() | st.booleans() | st.integers() | st.text(max_size=5)
alerts = st.builds(
    Alert,
    id=st.text(max_size=5),
    rule=st.text(max_size=5),
    rule_version=st.integers(1),
    workspace=st.text(max_size=5),
    dataset=st.text(max_size=5),
    key=st.dictionaries(st.text(max_size=5), values, max_size=3),
    state=st.sampled_from(["firing", "resolved"]),
    severity=st.sampled_from(["info", "critical"]),
    message=st.text(max_size=5),
    at=moments,
    event=st.dictionaries(st.text(max_size=5), values, max_size=3),
    position=st.text(max_size=5),
    acknowledged=st.none() | st.builds(Acknowledgement, st.text(max_size=5), moments, st.text(max_size=5)),
    resolved_at=st.none() | moments,
)


@given(alerts)
def test_what_is_shown_reads_back_as_the_same_alert(alert: Alert) -> None:
    assert alert_from_json(alert.to_json()) == alert


@given(alerts)
def test_resolved_at_is_shown_only_where_there_is_one(alert: Alert) -> None:
    assert ("resolvedAt" in alert.to_json()) == (alert.resolved_at is not None)


def firing(state: str = "firing") -> Alert:
    return Alert("a1", "hot", 1, "acme", "readings", {}, state, "warning", "m", 5, {}, "p")  # type: ignore[arg-type]


def test_an_alert_can_be_acknowledged_and_the_last_word_counts() -> None:
    seen = acknowledge(firing(), "ann", "on it", 7)
    assert seen.to_json()["acknowledged"] == {
        "by": "ann",
        "at": "1970-01-01T00:00:00.000000007Z",
        "note": "on it",
    }
    assert acknowledge(seen, "bob", "x" * 2_000, 8).acknowledged == Acknowledgement("bob", 8, "x" * 1_000)


def test_a_resolved_alert_can_not_be_acknowledged() -> None:
    with pytest.raises(Problem) as caught:
        acknowledge(firing("resolved"), "ann", "", 7)
    assert caught.value.code is ALREADY_RESOLVED
