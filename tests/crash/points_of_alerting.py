"""Where to die on an alert's way: judge, the courier, the change of a rule."""

from typing import Final

from tests.crash.point import Point
from tests.crash.seen import announced, full_slice, of_role, of_state, some

_JUDGE: Final = "streams.agents.judge"

JUDGE: Final = (
    Point("judge.read", "read > gate", f"{_JUDGE}:Judge._gate", "before"),
    Point("judge.passed", "gate > begun", f"{_JUDGE}:Judge._gate"),
    Point("judge.begun", "begun > instances", "storage.offsets:lock", only=of_role("judge")),
    Point("judge.instances", "instances > alerts", "storage.instances:keep", only=some(1)),
    Point("judge.alerts", "alerts > deliveries", "storage.alerts:keep", only=some(1)),
    Point("judge.deliveries", "deliveries > rules", "storage.deliveries:owe"),
    Point("judge.in_force", "rules > advanced", "storage.rules:put_in_force"),
    Point(
        "judge.advanced",
        "advanced > committed",
        "storage.offsets:advance",
        only=of_role("judge"),
        caller="transaction",
    ),
    Point("judge.committed", "committed > woken", f"{_JUDGE}:committed"),
    Point("judge.one_slice", "committed > woken", f"{_JUDGE}:Judge._commit", only=full_slice, most=1),
    Point("judge.woken", "woken > done", "api.feeds.feed:AlertFeed.wake"),
)

_ATTEMPT: Final = "streams.delivery.webhook:Webhooks.attempt"
_SETTLE: Final = "streams.delivery.kept:StoreBook.settle"

COURIER: Final = (
    Point("courier.due", "due > claimed", "streams.delivery.courier:Courier._begin", "before"),
    Point("courier.claimed", "claimed > sent", _ATTEMPT, "before"),
    Point("courier.sent", "sent > heard", _ATTEMPT),
    Point("courier.heard", "heard > settled row", _SETTLE, "before"),
    Point("courier.settling", "settled row > settled", "storage.deliveries:settle"),
    Point("courier.settled", "settled row > settled", _SETTLE),
)

_ANNOUNCE: Final = "streams.announce:Announcer.announce"
_APPEND: Final = "streams.embedded.log:EmbeddedLog.append"
_HALF: Final = "some partitions > all partitions"


def _of(state: str) -> tuple[Point, ...]:
    mine = of_state(1, state)
    return (
        Point(f"rule.{state}_row", "row > committed", "storage.rules:add_version", only=mine, most=1),
        Point(f"rule.{state}_kept", "committed > some partitions", _ANNOUNCE, "before", mine, most=1),
        Point(f"rule.{state}_half", _HALF, _APPEND, "before", announced(state), drained=True, most=1),
        Point(
            f"rule.{state}_logged", "all partitions > noted", "storage.rules:logged", "before", mine, most=1
        ),
        Point(f"rule.{state}_noted", "noted > answered", _ANNOUNCE, only=mine, most=1),
    )


RULE: Final = (
    *_of("active"),
    *_of("paused"),
    *_of("deleted"),
    Point(
        "rule.catching_up",
        _HALF,
        _APPEND,
        "before",
        announced("active"),
        drained=True,
        reached="starting",
        needs="rule.active_kept",
        most=1,
    ),
)
