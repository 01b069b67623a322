"""No socket is made to an address that may not be reached."""

import socket

import pytest
from aiohttp import ClientConnectorError, ClientError, ClientSession
from aiohttp.abc import AbstractResolver

from streams.delivery.targets import BlockedError, blocked, guarded_connector
from tests.streams.delivery.answering import FORBIDDEN_HOSTS, Answering
from tests.streams.delivery.receiver import always, receiver


async def refused_at_the_socket(url: str, resolver: AbstractResolver | None = None) -> ClientError:
    connector = guarded_connector(False, resolver=resolver)
    async with ClientSession(connector=connector) as session:
        with pytest.raises(ClientError) as caught:
            await session.post(url, data=b"x")
    return caught.value


@pytest.mark.parametrize("host", FORBIDDEN_HOSTS)
async def test_no_socket_is_made_to_a_blocked_address_and_no_request_arrives(host: str) -> None:
    async with receiver(always(200)) as server:
        port = server.url.split(":")[2]
        failure = await refused_at_the_socket(f"http://{host}:{port}")
        # aiohttp itself refuses the short forms before a socket would be made
        if host not in ("2130706433", "127.1", "0177.0.0.1"):
            assert isinstance(failure, ClientConnectorError)
            assert isinstance(failure.os_error, BlockedError)
        assert server.received == []


@pytest.mark.parametrize("addresses", [["127.0.0.1"], ["127.0.0.1", "::1"], ["::1", "10.0.0.1", "127.0.0.1"]])
async def test_a_name_that_leads_inside_when_it_is_connected_to_never_reaches_the_server(
    addresses: list[str],
) -> None:
    async with receiver(always(200)) as server:
        url = server.url.replace("127.0.0.1", "innocent.example")
        failure = await refused_at_the_socket(url, Answering(*addresses))
        assert isinstance(failure, ClientConnectorError)
        assert isinstance(failure.os_error, BlockedError)
        assert failure.os_error.reason in [blocked(address) for address in addresses]
        assert server.received == []


async def test_without_the_guard_the_same_name_reaches_the_server() -> None:
    async with receiver(always(200)) as server:
        url = server.url.replace("127.0.0.1", "innocent.example")
        connector = guarded_connector(True, resolver=Answering("127.0.0.1"))
        async with ClientSession(connector=connector) as session, session.post(url, data=b"x") as answer:
            assert answer.status == 200
        assert len(server.received) == 1


async def test_an_open_address_gets_its_socket() -> None:
    connector = guarded_connector(False)
    make_socket = connector._socket_factory
    assert make_socket
    with make_socket((socket.AF_INET, socket.SOCK_STREAM, 0, "", ("8.8.8.8", 443))) as made:
        assert made.family == socket.AF_INET
    await connector.close()
