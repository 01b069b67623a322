"""What judges a flood can itself be wrong; so it is tried on floods that are known."""

import msgspec
import pytest

from tests.overload.flood import FIRST, Flood, Flooded, request
from tests.overload.light import Served
from tests.overload.shapes import Result, laws
from tests.overload.truth import Truth
from tests.overload.watch import Memory, flatness


def sound() -> Result:
    """Return a flood of which nothing is wrong."""
    result = Result("a flood", seconds=120, beside=Served(took=[0.1] * 400), truth=Truth(5, 0, 0, 0, 0))
    result.memory.seen = [200.0 + second % 7 for second in range(130)]
    return result


def test_a_sound_flood_breaks_no_law() -> None:
    assert laws(sound()) == []


def test_a_flood_may_be_sent_whole_or_fill_its_connections() -> None:
    whole, full = sound(), sound()
    whole.flooded = Flooded(due=100, sent=95, looks=100, full=1)
    full.flooded = Flooded(due=100, sent=5, looks=100, full=99)
    assert laws(whole) == laws(full) == []


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"truth": Truth(5, 1, 0, 0, 0)}, "stored is not what was told"),
        ({"truth": Truth(5, 0, 1, 0, 0)}, "stored is not what was told"),
        ({"truth": Truth(5, 0, 0, 1, 0)}, "stored is not what was told"),
        ({"flooded": Flooded(unsound=["503 overloaded, Retry-After b''"])}, "refusals"),
        ({"flooded": Flooded(lost=1)}, "connections ended"),
        ({"recovery": 11.0}, "to recover"),
        ({"memory": Memory([300.0] * 50 + [700.0] + [300.0] * 79)}, "700 MB of memory"),
        ({"memory": Memory([300.0 + second / 3 for second in range(130)])}, "memory grows"),
        ({"flooded": Flooded(due=100, sent=80, looks=100, full=80)}, "no flood"),
        ({"beside": Served(took=[0.1] * 98, failed={503: 2})}, "light client"),
        ({"beside": Served(took=[2.1] * 100)}, "light client"),
        ({"beside": Served(took=[0.1] * 98 + [11.0] * 2)}, "light client"),
        ({"within": Served(took=[0.1] * 98, failed={503: 1, 504: 1, 0: 1})}, "flooded partition"),
    ],
)
def test_each_law_is_looked_at(change: dict[str, object], word: str) -> None:
    result = sound()
    for name, value in change.items():
        setattr(result, name, value)
    assert [law for law in laws(result) if word in law] == laws(result) != []


def test_memory_that_grows_is_not_flat_and_memory_that_swings_is() -> None:
    assert not flatness([200 + second for second in range(60)]).flat
    assert flatness([200 + 30 * (second % 2) for second in range(60)]).flat
    assert flatness([200.0 + second for second in range(60)]).slope == pytest.approx(60.0)


def test_a_request_of_a_flood_carries_its_number_in_each_record() -> None:
    flood = Flood(1, "t", "/v1/record/w/d", 3, 1.0, 1.0, 1, 0, 1)
    whole = request(flood).replace(b"%d" % FIRST, b"%d" % (FIRST + 17))
    head, _, body = whole.partition(b"\r\n\r\n")
    assert f"Content-Length: {len(body)}".encode() in head
    assert [(one["b"], one["k"]) for one in msgspec.json.decode(body)] == [(FIRST + 17, k) for k in range(3)]
