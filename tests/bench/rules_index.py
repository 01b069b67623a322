"""Ten thousand keyed rules on an event, against one: in this process, nothing but the rulebook.

Each event leads to exactly one rule in both books, and half of the events match it; so the ratio is what
the other 9,999 cost.
"""

from collections.abc import Sequence
from statistics import median
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
    for _ in range(plan.rounds):
        pairs = _pairs(one, same, many, spread, plan.seconds)
        with_one.append(median(pair[0] for pair in pairs))
        with_many.append(median(pair[1] for pair in pairs))
    figures = {
        "µs an event, 10,000": median(with_many) * 1e6,
        "µs an event, 1": median(with_one) * 1e6,
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


def _pairs(
    one: Rulebook, same: Sequence[Record], many: Rulebook, spread: Sequence[Record], seconds: float
) -> list[tuple[float, float]]:
    """Return the seconds an event takes in one book and in the other, in turns of a few milliseconds."""
    end = perf_counter() + seconds
    pairs = [(_pass(one, same), _pass(many, spread))]
    while perf_counter() < end:
        pairs.append((_pass(one, same), _pass(many, spread)))
    return pairs


def _pass(book: Rulebook, events: Sequence[Record]) -> float:
    """Return the seconds an event takes."""
    judge = book.judging("bench", DATASET)
    assert judge is not None
    begun = perf_counter()
    for event in events:
        judge(event)
    return (perf_counter() - begun) / len(events)


def _check(book: Rulebook, events: Sequence[Record]) -> None:
    judge = book.judging("bench", DATASET)
    assert judge is not None
    for event in events:
        matched, failed = judge(event) or ((), ())
        if failed or len(matched) != (event["temp"] > 20):
            raise RuntimeError(f"The rulebook judged {event} wrongly: {matched}, {failed}.")
