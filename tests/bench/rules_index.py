"""Ten thousand keyed rules on an event, against one: in this process, nothing but the rulebook.

Each event leads to exactly one rule in both books, and half of the events match it; so the ratio is what
the other 9,999 cost.
"""

from collections.abc import Sequence
from time import perf_counter

from rules.alerting.rule import Rule
from rules.alerting.rulebook import Rulebook
from rules.envelope import Record
from tests.bench.rig import record
from tests.bench.row import Goal, Plan, Row, ratios

RULES = 10_000
EVENTS = 2_000
DATASET = "readings"


def measure(plan: Plan) -> list[Row]:
    """Return the row."""
    many, filed = _book(RULES)
    one, _ = _book(1)
    spread = [_event(number, number * 7_919 % RULES) for number in range(EVENTS)]
    same = [_event(number, 0) for number in range(EVENTS)]
    for book, events in ((one, same), (many, spread)):
        _check(book, events)
        _pass(book, events)
    with_many: list[float] = []
    with_one: list[float] = []
    end = perf_counter() + plan.rounds * plan.seconds
    while perf_counter() < end or len(with_one) < plan.rounds:
        with_one.append(_pass(one, same))
        with_many.append(_pass(many, spread))
    figures = {
        "µs an event, 10,000": sorted(with_many)[len(with_many) // 2] * 1e6,
        "µs an event, 1": sorted(with_one)[len(with_one) // 2] * 1e6,
        "µs to file a rule": filed * 1e6,
    }
    return [
        Row(
            "rules",
            f"{RULES:,} keyed rules on an event",
            "1 rule on an event",
            ratios(with_many, with_one),
            Goal(2, 1.2, larger=False),
            figures,
            remark="time, in process",
        )
    ]


def _book(rules: int) -> tuple[Rulebook, float]:
    book = Rulebook()
    begun = perf_counter()
    for number in range(rules):
        where = f'station == "s{number}" && temp > 20'
        book.put(Rule("bench", f"r{number}", 1, DATASET, where, key=("station",)))
    return book, (perf_counter() - begun) / rules


def _event(number: int, station: int) -> Record:
    return {**record(number), "station": f"s{station}", "temp": 15 + number % 2 * 10}


def _pass(book: Rulebook, events: Sequence[Record]) -> float:
    """Return the seconds an event takes."""
    judge = book.judge
    begun = perf_counter()
    for event in events:
        judge("bench", DATASET, event)
    return (perf_counter() - begun) / len(events)


def _check(book: Rulebook, events: Sequence[Record]) -> None:
    for event in events:
        matched, failed = book.judge("bench", DATASET, event)
        if failed or len(matched) != (event["temp"] > 20):
            raise RuntimeError(f"The rulebook judged {event} wrongly: {matched}, {failed}.")
