"""The part of the lock that a running broker needs: `python infra/runtime_lock.py [NAME …]` prints it.

The lock holds what tests and the demo need too; an image has no use for those. Whoever is named by a kept
package's `# via` is what it was locked for, so the closure is read from the lock itself: nothing is resolved
anew, and every hash stays. It runs before anything is installed, so on the standard library alone.
"""

import re
import sys
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

HOUSE: Final = Path(__file__).resolve().parents[1]

_PIN: Final = re.compile(r"^([A-Za-z0-9._-]+)==")
_NAME: Final = re.compile(r"^[A-Za-z0-9._-]+")


@dataclass(frozen=True, slots=True)
class Pin:
    """One package of the lock: its name, the names of those it was locked for, and its lines."""

    name: str
    wanted_by: frozenset[str]
    text: str


def declared(project: str) -> frozenset[str]:
    """Return the names of the dependencies, extras apart, that a `pyproject.toml` with this text declares."""
    return frozenset(_name(one) for one in tomllib.loads(project)["project"]["dependencies"])


def needed(lock: str, roots: Iterable[str]) -> str:
    """Return the lines of a lock for `roots` and all that they need.

    Raises: ValueError, where a root is not in the lock.
    """
    pins = list(_pins(lock))
    wanted = set(roots)
    missing = wanted - {pin.name for pin in pins}
    if missing:
        raise ValueError(f"{', '.join(sorted(missing))}: not in requirements.lock; run `make lock`")
    size = -1
    while len(wanted) != size:
        size = len(wanted)
        wanted |= {pin.name for pin in pins if pin.wanted_by & wanted}
    return "".join(pin.text for pin in pins if pin.name in wanted)


def _pins(lock: str) -> Iterator[Pin]:
    lines: list[str] = []
    for line in [*lock.splitlines(keepends=True), ""]:
        if lines and (not line or _PIN.match(line)):
            via = re.findall(r"^    #(?: via)? +(?!via)([A-Za-z0-9._-]+)", "".join(lines), re.MULTILINE)
            yield Pin(_name(lines[0]), frozenset(map(_name, via)), "".join(lines))
            lines = []
        if lines or _PIN.match(line):
            lines.append(line)


def _name(requirement: str) -> str:
    found = _NAME.match(requirement)
    if found is None:
        raise ValueError(f"{requirement!r} names no package")
    return re.sub(r"[-_.]+", "-", found[0]).lower()


if __name__ == "__main__":
    names = frozenset(sys.argv[1:]) or declared((HOUSE / "pyproject.toml").read_text())
    sys.stdout.write(needed((HOUSE / "requirements.lock").read_text(), names))
