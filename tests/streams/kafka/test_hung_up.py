"""A broker that hangs up just before a request: aiokafka's clients must hear of a lost connection."""

import asyncio
import struct
from asyncio import StreamReader, StreamWriter

import pytest
import uvloop
from aiokafka.conn import AIOKafkaConnection
from aiokafka.errors import KafkaConnectionError
from aiokafka.protocol.admin import ApiVersionRequest

from streams.kafka.connection import Connection

_NO_VERSIONS = struct.Struct(">iihi")
"""Length, correlation id, no error, an empty list."""


async def _greet(reader: StreamReader, writer: StreamWriter) -> None:
    (size,) = struct.unpack(">i", await reader.readexactly(4))
    correlation = (await reader.readexactly(size))[4:8]
    writer.write(_NO_VERSIONS.pack(10, int.from_bytes(correlation), 0, 0))
    await reader.read()
    writer.close()


async def _hung_up() -> AIOKafkaConnection:
    """Return a connection that is closed, and whose reading task has not told it so yet."""
    server = await asyncio.start_server(_greet, "127.0.0.1")
    connection = AIOKafkaConnection(*server.sockets[0].getsockname())
    await connection.connect()
    server.close()
    connection._writer.transport.abort()
    await connection._closed_fut
    return connection


def test_a_request_to_a_broker_that_has_just_hung_up_is_a_lost_connection_under_uvloop() -> None:
    async def ask() -> None:
        connection = await _hung_up()
        with pytest.raises(KafkaConnectionError, match="hung up"):
            await connection.send(ApiVersionRequest())
        assert not connection.connected()

    Connection(("127.0.0.1:1",))
    uvloop.run(ask())


def test_a_word_of_sasl_to_it_is_one_too() -> None:
    async def ask() -> None:
        connection = await _hung_up()
        with pytest.raises(KafkaConnectionError, match="hung up"):
            await connection._send_sasl_token(b"token")

    Connection(("127.0.0.1:1",))
    uvloop.run(ask())


def test_any_number_of_clusters_mend_it_once() -> None:
    Connection(("127.0.0.1:1",))
    first = AIOKafkaConnection.send
    Connection(("127.0.0.1:2",))
    assert AIOKafkaConnection.send is first
