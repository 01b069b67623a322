"""What an image is built from is the part of the lock that a running broker needs: all of it, and no more."""

from importlib.metadata import PackageNotFoundError, distribution
from subprocess import run
from sys import executable

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from infra.runtime_lock import HOUSE, declared, needed

LOCK = (HOUSE / "requirements.lock").read_text()
PROJECT = (HOUSE / "pyproject.toml").read_text()


def pinned(lock: str) -> set[str]:
    return {line.partition("==")[0] for line in lock.splitlines() if "==" in line and line[0].isalnum()}


def installed_closure(roots: frozenset[str]) -> set[str]:
    """Return the roots and all they need here, as the installed packages themselves say."""
    found: set[str] = set()
    waiting = [Requirement(name) for name in roots]
    waiting += [Requirement("psycopg[binary]")]
    while waiting:
        wanted = waiting.pop()
        name = canonicalize_name(wanted.name)
        try:
            requires = distribution(name).requires or []
        except PackageNotFoundError:
            continue  # what another system needs
        found.add(name)
        for text in requires:
            one = Requirement(text)
            extras = [*wanted.extras, ""]
            if one.marker is None or any(one.marker.evaluate({"extra": extra}) for extra in extras):
                key = canonicalize_name(one.name)
                if key not in found or one.extras:
                    waiting.append(one)
    return found


def test_it_holds_what_the_packages_themselves_say_they_need() -> None:
    there = pinned(needed(LOCK, declared(PROJECT)))
    assert installed_closure(declared(PROJECT)) <= there


def test_it_leaves_out_what_only_tests_need_and_keeps_every_hash() -> None:
    part = needed(LOCK, declared(PROJECT))
    assert not {"pytest", "hypothesis", "ruff", "mypy", "schemathesis", "vega-datasets"} & pinned(part)
    assert all(line in LOCK.splitlines() for line in part.splitlines())
    assert all(block.count("--hash=sha256:") >= 1 for block in part.split("\n    # via")[:-1])


def test_what_the_lock_does_not_hold_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="no-such-thing: not in requirements"):
        needed(LOCK, ["no-such-thing"])


def test_it_runs_before_anything_is_installed() -> None:
    said = run(
        [executable, "-I", "-S", "infra/runtime_lock.py", "setuptools"], cwd=HOUSE, capture_output=True
    )
    assert said.stdout.decode().startswith("setuptools==")
