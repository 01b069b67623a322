"""Ids of another workspace's writes, known or guessed: they tell no more than ids that were never given."""

from collections.abc import AsyncIterator
from zlib import crc32

import pytest
import pytest_asyncio

from tests.security.hidden import Theirs, blank, hidden

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def there(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Theirs]:
    async with hidden(tmp_path_factory.mktemp("hidden")) as made:
        yield made


async def test_another_workspaces_write_is_like_one_that_never_was_given(there: Theirs) -> None:
    run, counter = there.write_id[:8], int(there.write_id[8:24], 16)
    forged = [f"{run}{counter + step:016x}{there.write_id[24:]}" for step in (0, 1, -1, 1 << 20)]
    for token in (there.admin, there.of_dataset):
        answers = [await there.ask("GET", f"/v1/writes/{write}", token) for write in forged]
        blanked = [blank(a, write) for a, write in zip(answers, forged, strict=True)]
        assert all(one == blanked[0] for one in blanked)
        assert blanked[0][0] == 404


async def test_who_knows_how_ids_are_made_learns_no_more_of_another_workspaces_writes(
    there: Theirs,
) -> None:
    """The mark is a checksum, so a caller can make ids of his own workspace for every run and counter."""
    own = (await there.ask("POST", "/v1/write/mine/d", json={"k": "own", "s": "s"})).json["writeId"]
    run, counter = there.write_id[:8], there.write_id[8:24]
    shift = marks(own[:24], "mine") ^ int(own[24:], 16)
    with_their_counter = f"{run}{counter}{marks(run + counter, 'mine') ^ shift:08x}"
    free = f"{run}{int(counter, 16) + 1:016x}"
    with_a_free_one = f"{free}{marks(free, 'mine') ^ shift:08x}"
    answers = [await there.ask("GET", f"/v1/writes/{one}") for one in (with_their_counter, with_a_free_one)]
    told = [{**answer.json, "writeId": "", "receivedAt": ""} for answer in answers]
    assert told[0] == told[1]
    assert told[0]["state"] == "logged"


def marks(body: str, workspace: str) -> int:
    """Return a mark but for the seed, which changes CRCs of texts of one length by a constant."""
    return crc32((body + workspace).encode())
