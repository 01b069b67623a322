"""Whether the parts of the broker work: each is named, says how it is, and is missed when it is silent."""

from collections.abc import Callable
from datetime import datetime
from typing import TypedDict

from rules.schema.moments import format_moment


class PartHealth(TypedDict):
    """One part, as `/ready` shows it."""

    ok: bool
    message: str


class Readiness(TypedDict):
    """The body of `/ready`: `started` is an RFC 3339 instant, `up` a text such as `14m45s`."""

    status: str
    started: str
    up: str
    parts: dict[str, PartHealth]


class Part:
    """The handle with which one part says how it is.

    A part is not well until it says so, by `ok` or by its first `alive_until`. After `failing` only
    `ok` makes it well again: a loop that still turns proves nothing about what it failed at.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._trouble: str | None = "starting"
        self._begun = False
        self._message = ""
        self._deadline: float | None = None

    def ok(self, message: str = "") -> None:
        """Say that it works; a deadline that was set stays in force."""
        self._begun, self._trouble, self._message = True, None, message

    def failing(self, message: str) -> None:
        """Say what does not work, until `ok` is said."""
        self._begun, self._trouble = True, message

    def alive_until(self, deadline: float) -> None:
        """Promise to be heard of again before `deadline`, in seconds of the clock given to `Parts`."""
        self._deadline = deadline
        if not self._begun:
            self.ok()

    def health(self) -> PartHealth:
        """Return how it is now."""
        if self._trouble is not None:
            return {"ok": False, "message": self._trouble}
        late = 0.0 if self._deadline is None else self._clock() - self._deadline
        if late > 0:
            return {"ok": False, "message": f"silent: it should have been heard of {late:.1f} s ago"}
        return {"ok": True, "message": self._message}


class Parts:
    """All parts of one process. `clock` gives monotonic seconds, `started` is the moment of the start."""

    def __init__(self, clock: Callable[[], float], started: datetime) -> None:
        self._clock = clock
        self._started = format_moment(int(started.timestamp()) * 10**9)
        self._began = clock()
        self._parts: dict[str, Part] = {}

    def register(self, name: str) -> Part:
        """Return the handle of a new part; until it says otherwise it is starting, which is not ready.

        Raises: ValueError, if there is a part of this name.
        """
        if name in self._parts:
            raise ValueError(f"A part named {name!r} is registered already; give this one another name.")
        part = self._parts[name] = Part(self._clock)
        return part

    @property
    def ready(self) -> bool:
        """Whether there are parts and all of them are well."""
        return bool(self._parts) and all(part.health()["ok"] for part in list(self._parts.values()))

    def snapshot(self) -> dict[str, PartHealth]:
        """Return how each part is, by name, in the order they were registered."""
        return {name: part.health() for name, part in list(self._parts.items())}

    def report(self) -> Readiness:
        """Return the body of `/ready`; its status is `ready` or `unready`."""
        parts = self.snapshot()
        ready = bool(parts) and all(part["ok"] for part in parts.values())
        return {
            "status": "ready" if ready else "unready",
            "started": self._started,
            "up": _lasting(self._clock() - self._began),
            "parts": parts,
        }


def _lasting(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    texts = [f"{hours}h"] if hours else []
    texts += [f"{minutes}m"] if hours or minutes else []
    return "".join([*texts, f"{rest}s"])
