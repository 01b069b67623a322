"""Host names to addresses, in threads of their own."""

import socket
import threading
from asyncio import create_task, gather, to_thread

import pytest

from streams.delivery.lookup import Lookup


async def test_a_name_of_this_machine_is_found() -> None:
    lookup = Lookup(2)
    found = await lookup.resolve("localhost", 8080)
    assert {place["host"] for place in found} & {"127.0.0.1", "::1"}
    assert all(place["port"] == 8080 and place["hostname"] == "localhost" for place in found)
    await lookup.close()


@pytest.mark.parametrize("name", ["a..b", "a" * 64 + ".example", "no such name"])
async def test_a_name_that_is_none_is_an_error(name: str) -> None:
    lookup = Lookup(1)
    with pytest.raises(socket.gaierror):
        await lookup.resolve(name, 80)
    await lookup.close()


async def test_look_ups_that_hang_hold_up_no_other_thread_of_the_loop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gate = threading.Event()

    def hang(*_: object) -> list[object]:
        gate.wait(5)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    lookup = Lookup(64)
    waiting = [create_task(lookup.resolve(f"{number}.example")) for number in range(64)]
    try:
        assert await to_thread(lambda: "done") == "done"
    finally:
        gate.set()
        await gather(*waiting)
        await lookup.close()
