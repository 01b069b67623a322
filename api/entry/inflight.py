"""Bytes in flight: bounded in all, and no workspace holds more than half of them."""

from rules.errors import BODY_TOO_LARGE, OVERLOADED, Problem
from rules.names import fold


class Inflight:
    """Counts the bytes of writes between their arrival and the end of their append.

    Released when the append ends, not when the caller was answered: an append whose answer is unknown
    still holds its memory.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._total = 0
        self._by_workspace: dict[str, int] = {}

    @property
    def most(self) -> int:
        """Bytes that may be held at once."""
        return self._most

    @property
    def total(self) -> int:
        """Bytes held now."""
        return self._total

    def hold(self, workspace: str, size: int) -> "Held":
        """Take `size` bytes for a workspace.

        Raises: Problem: overloaded where that would be more than all may hold now, or one;
        body_too_large where it is more than all may ever hold.
        """
        held = Held(self, fold(workspace))
        held.add(size)
        return held

    def _fits(self, size: int) -> None:
        """Refuse what there is never room for: told to come again, its caller would do so for ever."""
        if size > self._most:
            raise Problem(
                BODY_TOO_LARGE,
                f"The write takes {size} bytes, as it came and decompressed; {self._most} of all writes may "
                "be in flight (SLUICE_MAX_INFLIGHT). Send it in parts.",
            )

    def reserving(self, workspace: str) -> "Reserved":
        """Return what a workspace's body is held by whose room is taken before it comes; none is yet."""
        return Reserved(self, fold(workspace))

    def _take(self, workspace: str, size: int, own: int) -> None:
        self._fits(own + size)
        mine = self._by_workspace.get(workspace, 0) + size
        if self._total + size > self.most:
            raise Problem(OVERLOADED, f"{self._total} bytes of writes are in flight; {self.most} may be.")
        # a single request may always be as large as the limits of a body allow, alone
        if mine > self.most // 2 and mine > own + size:
            raise Problem(
                OVERLOADED,
                f"The workspace has {mine - size} bytes of writes in flight, half of what all may have.",
            )
        self._total += size
        self._by_workspace[workspace] = mine

    def _give_back(self, workspace: str, size: int) -> None:
        self._total -= size
        left = self._by_workspace[workspace] - size
        if left:
            self._by_workspace[workspace] = left
        else:
            del self._by_workspace[workspace]


class Held:
    """Bytes that one request holds; more are added as its body comes."""

    __slots__ = ("_inflight", "_size", "_workspace")

    def __init__(self, inflight: Inflight, workspace: str) -> None:
        self._inflight = inflight
        self._workspace = workspace
        self._size = 0

    def foresee(self, size: int) -> None:
        """Refuse at once what is going to be more than may ever be held.

        Raises: Problem(body_too_large).
        """
        self._inflight._fits(self._size + size)

    def add(self, size: int) -> None:
        """Hold more.

        Raises: Problem(overloaded, body_too_large).
        """
        if size:
            self._inflight._take(self._workspace, size, self._size)
            self._size += size

    def release(self) -> None:
        """Give everything back. Safe to call twice."""
        if self._size:
            size, self._size = self._size, 0
            self._inflight._give_back(self._workspace, size)


class Reserved(Held):
    """Bytes that one request holds, some of them before they come: what comes takes from those first."""

    __slots__ = ("_left",)

    def __init__(self, inflight: Inflight, workspace: str) -> None:
        super().__init__(inflight, workspace)
        self._left = 0

    def reserve(self, size: int) -> None:
        """Hold bytes that are yet to come, as many as all may hold at the most.

        Raises: Problem(overloaded).
        """
        size = min(size, self._inflight.most)
        super().add(size)
        self._left += size

    def foresee(self, size: int) -> None:
        """Refuse at once what is going to be more than may ever be held, less what was reserved.

        Raises: Problem(body_too_large).
        """
        super().foresee(max(0, size - self._left))

    def add(self, size: int) -> None:
        """Hold more, as far as it is more than was reserved.

        Raises: Problem(overloaded, body_too_large).
        """
        there = min(size, self._left)
        super().add(size - there)
        self._left -= there
