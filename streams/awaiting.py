"""From the store's futures to the loop's."""

import asyncio
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")


async def on_loop(future: "Future[T]") -> T:
    """Await a future of the store."""
    return await asyncio.wrap_future(future)
