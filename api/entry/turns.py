"""Large bodies are worked on one a turn of the loop, the workspaces in turn.

Decoding and checking a thousand records holds up the loop for milliseconds. A hundred such bodies that are
whole at once would hold it up for a hundred times as long, and everybody else with it.
"""

import asyncio
from collections import OrderedDict, deque
from typing import Final

from rules.names import fold

LARGE: Final = 16 * 1024


class Turns:
    """Lets large bodies pass one by one. Lives on one loop; what waits is bounded by the bytes in flight."""

    def __init__(self) -> None:
        self._waiting: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()

    async def wait(self, workspace: str, size: int) -> None:
        """Return when a body of `size` bytes may be worked on; at once, where it is small."""
        if size < LARGE:
            return
        loop = asyncio.get_running_loop()
        turn: asyncio.Future[None] = loop.create_future()
        if not self._waiting:
            loop.call_soon(self._next)
        self._waiting.setdefault(fold(workspace), deque()).append(turn)
        await turn

    def _next(self) -> None:
        """Wake the first of the workspace whose turn it is, and come again in the loop's next turn."""
        workspace, queue = self._waiting.popitem(last=False)
        turn = queue.popleft()
        if not turn.done():
            turn.set_result(None)
        if queue:
            self._waiting[workspace] = queue
        if self._waiting:
            asyncio.get_running_loop().call_soon(self._next)
