from pathlib import Path

import pytest

from tests.rubbish.lane import Tally, judge, run
from tests.rubbish.made import Made

POST = Made("POST", "/v1/record/w/d", b"", (), (b"",), False)
PROBLEM = {b"content-type": b"application/problem+json"}


async def test_made_requests_break_nothing_in_small(tmp_path: Path) -> None:
    tally = await run(320, tmp_path / "data")
    assert tally.asked >= 320
    assert tally.accepted, "some are good"


@pytest.mark.parametrize(
    "answer",
    [
        (500, PROBLEM, b'{"code":"internal","status":500}'),
        (400, {b"content-type": b"text/plain"}, b"{}"),
        (400, PROBLEM, b'{"code":"of_its_own","status":400}'),
        (400, PROBLEM, b'{"code":"bad_json","status":401}'),
        (503, {**PROBLEM, b"retry-after": b"0"}, b'{"code":"overloaded","status":503}'),
        (503, {**PROBLEM, b"retry-after": b"1"}, b'{"code":"store_unavailable","status":503}'),
        (503, {**PROBLEM, b"retry-after": b"1"}, b'{"code":"stopping","status":503}'),
        (202, {}, b'{"success":true}'),
    ],
)
def test_an_answer_that_breaks_a_law_is_found(answer: tuple[int, dict[bytes, bytes], bytes]) -> None:
    with pytest.raises(AssertionError):
        judge(POST, answer, Tally())
