"""The administrator's token of processes that share a database: the first makes it, later ones keep it."""

import io
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.crown import ADMINISTRATOR, enthrone, shared_crown
from infra.first_start import FILE_NAME
from infra.settings import Settings, load
from rules.ids import token_hash
from storage import revision, tokens
from storage.store import Store
from tests.storage.database import opened


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with opened(tmp_path / "shared" / "sluice.db") as store:
        yield store


def settings(data: Path, token: str | None = None) -> Settings:
    return load({"data": data, "admin_token": token})


def in_force(store: Store) -> str | None:
    return store.read(lambda c: tokens.hash_of(c, ADMINISTRATOR)).result(5)


async def test_the_first_start_makes_the_token_and_a_later_one_elsewhere_leaves_it(
    store: Store, tmp_path: Path
) -> None:
    first = await shared_crown(settings(tmp_path / "a"), store, io.StringIO())
    assert first.made and first.token is not None
    said = io.StringIO()
    second = await shared_crown(settings(tmp_path / "b"), store, said)
    assert (second.token, second.made, said.getvalue()) == (None, False, "")
    assert not (tmp_path / "b" / FILE_NAME).exists()
    assert in_force(store) == token_hash(first.token)
    again = await shared_crown(settings(tmp_path / "a"), store, io.StringIO())
    assert (again.token, again.made) == (first.token, False)


async def test_a_token_that_is_given_replaces_the_one_there_and_twice_changes_nothing(
    store: Store, tmp_path: Path
) -> None:
    await shared_crown(settings(tmp_path / "a"), store, io.StringIO())
    given = await shared_crown(settings(tmp_path / "b", "sk_given"), store, io.StringIO())
    assert given.token == "sk_given"
    assert in_force(store) == token_hash("sk_given")
    before = store.read(revision.revisions).result(5)
    await shared_crown(settings(tmp_path / "c", "sk_given"), store, io.StringIO())
    assert store.read(revision.revisions).result(5) == before
    assert (await shared_crown(settings(tmp_path / "a"), store, io.StringIO())).token is None


async def test_of_two_that_start_at_once_one_makes_the_token_and_the_other_keeps_no_file(
    store: Store, tmp_path: Path
) -> None:
    class Late(io.StringIO):
        """Lets the other process be first, between what this one found and what it does."""

        def write(self, text: str) -> int:
            store.write(lambda c: enthrone(c, "sk_first", 1, replace=False)).result(5)
            return super().write(text)

    late = await shared_crown(settings(tmp_path / "late"), store, Late())
    assert (late.token, late.made) == (None, False)
    assert not (tmp_path / "late" / FILE_NAME).exists()
    assert in_force(store) == token_hash("sk_first")


async def test_a_token_whose_keeping_was_cut_off_is_put_in_force_by_the_next_start(
    store: Store, tmp_path: Path
) -> None:
    data = tmp_path / "a"
    data.mkdir()
    (data / FILE_NAME).write_text("sk_written-before-the-database-had-it\n")
    crown = await shared_crown(settings(data), store, io.StringIO())
    assert crown.token == "sk_written-before-the-database-had-it"
    assert in_force(store) == token_hash(crown.token)
