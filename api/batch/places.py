"""Places for bodies that are being received: bounded in all, and no workspace has more than half of them."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from rules.errors import OVERLOADED, Problem
from rules.names import fold


class Places:
    """As many places as `most`, two at the least. Lives on one loop."""

    def __init__(self, most: int) -> None:
        self._most = max(2, most)
        self._by_workspace: Counter[str] = Counter()

    @contextmanager
    def one(self, workspace: str) -> Iterator[None]:
        """Have a place for a workspace's body until the context is left.

        Raises: Problem(overloaded).
        """
        name = fold(workspace)
        if self._by_workspace.total() >= self._most:
            raise Problem(OVERLOADED, f"{self._most} loads are being received, as many as may be.")
        if self._by_workspace[name] >= self._most // 2:
            raise Problem(
                OVERLOADED,
                f"{self._most // 2} loads of the workspace are being received, half of what may be in all.",
            )
        self._by_workspace[name] += 1
        try:
            yield
        finally:
            self._by_workspace[name] -= 1
            if not self._by_workspace[name]:
                del self._by_workspace[name]
