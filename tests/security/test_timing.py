"""How long a wrong token takes says nothing of how much of it was right."""

import ast
import inspect
import statistics
import textwrap
import time

from api.entry import gate as gates
from api.entry.gate import Gate
from rules.errors import Problem
from rules.ids import token_hash
from rules.token import Token

RIGHT = "sk_" + "a" * 43
GUESSES = {shared: RIGHT[:shared] + "Z" * (len(RIGHT) - shared) for shared in (0, 3, 23, 45)}
ROUNDS = 400
EACH = 25


def gate() -> Gate:
    """Return a gate that knows the right token among a thousand."""
    made = Gate()
    many = {token_hash(f"sk_{n}"): Token(f"t{n}", frozenset({"read"}), "w") for n in range(1_000)}
    made.know({**many, token_hash(RIGHT): Token("right", frozenset({"read"}), "w")})
    return made


def test_a_token_is_looked_up_by_its_hash_and_compared_with_nothing() -> None:
    tree = ast.parse(textwrap.dedent(inspect.getsource(gates.Gate)))
    compared = [ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Compare)]
    assert not any("secret ==" in one or "== secret" in one or "header ==" in one for one in compared)
    assert "self._tokens.get(token_hash(secret))" in ast.unparse(tree)


def test_hashes_of_guesses_that_share_a_beginning_share_none() -> None:
    right = token_hash(RIGHT)
    for guess in GUESSES.values():
        shared = sum(1 for a, b in zip(token_hash(guess), right, strict=True) if a == b)
        assert shared < 20, "as many of 64 hex digits as chance gives"


def test_a_guess_that_shares_more_takes_no_longer() -> None:
    door = gate()
    headers = {shared: {b"x-api-key": guess.encode()} for shared, guess in GUESSES.items()}
    fastest: dict[int, list[int]] = {shared: [] for shared in GUESSES}
    for _ in range(ROUNDS):  # taken in turn, so that what else the machine does falls on all alike
        for shared, one in headers.items():
            begun = time.perf_counter_ns()
            for _ in range(EACH):
                try:
                    door.identify(one, b"")
                except Problem:
                    continue
            fastest[shared].append(time.perf_counter_ns() - begun)
    usual = {shared: statistics.quantiles(times, n=10)[0] for shared, times in fastest.items()}
    assert max(usual.values()) < 1.5 * min(usual.values()), usual
