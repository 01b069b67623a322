"""Points to die at: places between two steps of the broker's work, named from outside of its code."""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal

When = Literal["before", "after", "halfway"]
Only = Callable[..., bool]
Reached = Literal["working", "starting", "first start", "stopping"]

MOST: Final = 3


@dataclass(frozen=True, slots=True)
class Point:
    """A place `between` two steps of a road ("rows > outcomes"): a call of `target`.

    The road is what stands before the dot in the name. `target` is `module:name` or `module:Class.name`, as
    its caller finds it. `when` says on which side of the call to die; `halfway` is known for writes to the
    disk alone. `only` is asked with the call's own arguments, `caller` is the name of the function that must
    have called it. `drained` waits until all that the log was given before is durable. `needs` names a point
    that must be died at just before: what this one mends. It is died at at the first to `most`-th passing;
    the seed says which.
    """

    name: str
    between: str
    target: str
    when: When = "after"
    only: Only | None = None
    caller: str | None = None
    drained: bool = False
    reached: Reached = "working"
    needs: str | None = None
    most: int = MOST

    @property
    def road(self) -> str:
        """The road it is on."""
        return self.name.partition(".")[0]

    @property
    def gap(self) -> tuple[str, str]:
        """The steps it stands between."""
        after, _, before = self.between.partition(" > ")
        return after, before


def found(target: str) -> tuple[Any, str]:
    """Return what has `module:name` or `module:Class.name`, and under which name.

    Raises: AttributeError, ModuleNotFoundError where the product has it no longer.
    """
    module, _, path = target.partition(":")
    holder: Any = importlib.import_module(module)
    *outer, name = path.split(".")
    for each in outer:
        holder = getattr(holder, each)
    getattr(holder, name)
    return holder, name
