"""Envelopes and words ↔ bytes: one version byte, then msgpack of the values in `rules.envelope`."""

from collections.abc import Iterable, Iterator
from typing import Any, Final

import msgspec

from rules.envelope import Entry, Envelope, Happened, Record, RuleChange, Word, Write
from rules.errors import Halt
from rules.schema.points import records_of

VERSION: Final = b"\x01"

_encode = msgspec.msgpack.Encoder().encode
_envelope = msgspec.msgpack.Decoder(Envelope).decode
_word = msgspec.msgpack.Decoder(Word).decode


class UnreadableError(Halt):
    """A message in the log is not one of ours, or of a version that is newer than this program."""


class _Raws(msgspec.Struct, array_like=True, frozen=True):
    entries: list[msgspec.Raw]


def encode(value: Entry | Happened | RuleChange) -> bytes:
    """Return one entry's bytes, ready for `join`."""
    return _encode(value)


def encode_record(record: Record) -> bytes:
    """Return a record's own bytes, to know its size."""
    return _encode(record)


def encode_columns(columns: list[list[Any]]) -> bytes:
    """Return the bytes of a table's columns, to know their size."""
    return _encode(columns)


def join(entries: Iterable[bytes]) -> bytes:
    """Return the message that holds these encoded entries: an envelope or a word."""
    return VERSION + _encode(_Raws([msgspec.Raw(entry) for entry in entries]))


def read_envelope(payload: bytes) -> Envelope:
    """Return a message of `writes`.

    Raises: UnreadableError.
    """
    try:
        envelope = _envelope(_body(payload))
    except msgspec.DecodeError as error:
        raise UnreadableError(f"a message of writes can't be read: {error}") from error
    if any(isinstance(entry, Write) and entry.names for entry in envelope.entries):
        return Envelope([_in_rows(entry) for entry in envelope.entries])
    return envelope


def _in_rows(entry: Entry) -> Entry:
    """Return an entry whose points are records: what applies them goes record by record."""
    if not isinstance(entry, Write) or not entry.names:
        return entry
    records = records_of(entry.names, entry.columns)
    return msgspec.structs.replace(entry, records=records, names=[], columns=[])


def read_word(payload: bytes) -> Word:
    """Return a message of `events`.

    Raises: UnreadableError.
    """
    try:
        return _word(_body(payload))
    except msgspec.DecodeError as error:
        raise UnreadableError(f"a message of events can't be read: {error}") from error


def words(happened: Iterable[Happened], most: int) -> Iterator[bytes]:
    """Return messages of about `most` bytes at the most that say what happened, in order.

    Only a single record larger than that makes a larger message.
    """
    held: list[bytes] = []
    size = 0
    for entry in happened:
        for piece in _pieces(entry, most):
            if held and size + len(piece) > most:
                yield join(held)
                held, size = [], 0
            held.append(piece)
            size += len(piece)
    if held:
        yield join(held)


def _pieces(entry: Happened, most: int) -> Iterator[bytes]:
    whole = encode(entry)
    if len(whole) <= most or len(entry.records) == 1:
        yield whole
        return
    half = len(entry.records) // 2
    for part in (slice(None, half), slice(half, None)):
        yield from _pieces(
            msgspec.structs.replace(entry, items=entry.items[part], records=entry.records[part]), most
        )


def _body(payload: bytes) -> memoryview:
    if payload[:1] != VERSION:
        raise UnreadableError(f"a message has format {payload[:1]!r}; this program reads {VERSION!r}")
    return memoryview(payload)[1:]
