"""Who is calling: what is remembered of a header stands for the token in it, and for as long as that does."""

import time

import pytest

from api.entry.gate import SEEN, SHORT, Gate
from rules.errors import Problem
from rules.ids import token_hash
from rules.token import Token

MINE, THEIRS = "sk_mine", "sk_theirs"


def gate(**expires: float) -> Gate:
    made = Gate()
    made.know(
        {
            token_hash(secret): Token(secret[3:], frozenset({"admin"}), "w", expires=expires.get(secret[3:]))
            for secret in (MINE, THEIRS)
        }
    )
    return made


def who(door: Gate, query: bytes = b"", **headers: str) -> str:
    given = {name.replace("_", "-").encode(): value.encode() for name, value in headers.items()}
    try:
        return door.identify(given, query).id
    except Problem as refused:
        return refused.code.name


@pytest.mark.parametrize(
    "other", ["Basic dTpw", "Digest x", "Negotiate abc", "", "sk_mine", "Bearerx sk_mine"]
)
def test_an_authorization_that_is_no_token_stands_for_nobody_though_it_came_beside_one(other: str) -> None:
    door = gate()
    assert who(door, authorization=other, x_api_key=MINE) == "mine"
    assert who(door, b"token=sk_mine", authorization=other) == "mine"
    assert who(door, authorization=other) == "no_token"
    assert who(door, authorization=other, x_api_key=THEIRS) == "theirs"


@pytest.mark.parametrize("form", ["Bearer {}", "Token {}", "bEARER   {} "])
def test_a_header_stands_for_its_own_token_whatever_else_comes_with_it(form: str) -> None:
    door = gate()
    for _ in range(2):
        assert who(door, b"token=sk_theirs", authorization=form.format(MINE), x_api_key=THEIRS) == "mine"
        assert who(door, authorization=form.format(THEIRS)) == "theirs"
        assert who(door, authorization=form.format("sk_nobody")) == "bad_token"


def test_what_was_remembered_is_forgotten_when_the_tokens_change() -> None:
    door = gate()
    assert who(door, authorization=f"Bearer {MINE}") == "mine"
    door.know({})
    assert who(door, authorization=f"Bearer {MINE}") == "bad_token"


def test_what_was_remembered_expires_with_its_token(monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.time()
    door = gate(mine=now + 60)
    assert who(door, authorization=f"Bearer {MINE}") == "mine"
    monkeypatch.setattr("api.entry.gate.time.time", lambda: now + 61)
    assert who(door, authorization=f"Bearer {MINE}") == "bad_token"


def test_wrong_tokens_are_not_remembered_and_right_ones_are_bounded() -> None:
    door = gate()
    for n in range(100):
        assert who(door, authorization=f"Bearer sk_{n}") == "bad_token"
    assert who(door, authorization=f"Bearer {' ' * SHORT}{MINE}") == "mine"
    assert len(door._seen) == 0
    for n in range(SEEN + 5):
        assert who(door, authorization=f"Bearer{' ' * (1 + n % 150)}{MINE}{' ' * (n // 150 % 70)}") == "mine"
    assert len(door._seen) <= SEEN


def test_tokens_that_were_read_before_a_change_do_not_undo_it() -> None:
    door, mine = Gate(), {token_hash(MINE): Token("mine", frozenset({"admin"}), "w")}
    door.know({}, 4)
    door.know(mine, 5)
    door.know({}, 4)
    assert who(door, x_api_key=MINE) == "mine"
    door.know({}, 6)
    door.know(mine, 5)
    assert who(door, x_api_key=MINE) == "bad_token"
