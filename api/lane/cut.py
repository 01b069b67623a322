"""A write cut into parts, before it meets others: part = (partition, k-th 512 KB of its own records).

The cut depends on nothing but the records, so a keyed write that is sent again is cut alike.
"""

from collections.abc import Iterator
from typing import NamedTuple

from msgspec import Struct

from api.lane.admit import Admitted
from api.lane.door import Options
from rules.envelope import EVENT, PERSIST, Record, Write
from rules.schema.dataset import Dataset
from rules.schema.stored import stored_values
from streams.topics import dataset_partition, record_partition
from streams.wire import encode, encode_record


class Part(NamedTuple):
    """One entry for the log: where it goes, its bytes, how many records it holds."""

    partition: int
    entry: bytes
    records: int


class Stamp(Struct, frozen=True):
    """What all parts of a write have in common. `at` is the arrival in ns."""

    write_id: str
    workspace: str
    at: int
    options: Options
    rejected: int
    keyed: bool


class _Piece(NamedTuple):
    admitted: Admitted
    partition: int
    positions: list[int] | None
    records: list[Record]


def cut(admitted: list[Admitted], stamp: Stamp, partitions: int, most: int) -> list[Part]:
    """Return the parts of a write; `most` is the size in bytes a part with several records may have."""
    pieces = [piece for one in admitted if one.records for piece in _pieces(one, stamp, partitions)]
    if len(pieces) == 1:
        write = _write(pieces[0], stamp, 0, 1)
        entry = encode(write)
        if len(entry) <= most or len(write.records) == 1:
            return [Part(pieces[0].partition, entry, len(write.records))]
    small = [smaller for piece in pieces for smaller in _split(piece, most)]
    return [
        Part(piece.partition, encode(_write(piece, stamp, number, len(small))), len(piece.records))
        for number, piece in enumerate(small)
    ]


def _pieces(admitted: Admitted, stamp: Stamp, partitions: int) -> Iterator[_Piece]:
    dataset = admitted.dataset
    if dataset is None or not dataset.partition_by:
        made_as = admitted.name if dataset is None else dataset.made_as or dataset.name
        workspace = stamp.workspace if dataset is None else dataset.workspace
        yield _Piece(admitted, dataset_partition(workspace, made_as, partitions), None, admitted.records)
        return
    spread: dict[int, list[int]] = {}
    for position, record in enumerate(admitted.records):
        spread.setdefault(partition_of(dataset, record, partitions), []).append(position)
    for partition, positions in spread.items():
        yield _Piece(admitted, partition, positions, [admitted.records[i] for i in positions])


def partition_of(dataset: Dataset, record: Record, partitions: int) -> int:
    """Return the partition of a record of a dataset with `partitionBy`: by stored form, so that two
    spellings of one instant meet."""
    return record_partition(stored_values(dataset, record, dataset.partition_by), partitions)


def _split(piece: _Piece, most: int) -> Iterator[_Piece]:
    positions = piece.positions or list(range(len(piece.records)))
    start = size = 0
    for place, record in enumerate(piece.records):
        length = len(encode_record(record))
        if place > start and size + length > most:
            yield piece._replace(positions=positions[start:place], records=piece.records[start:place])
            start, size = place, 0
        size += length
    yield piece._replace(positions=positions[start:], records=piece.records[start:])


def _write(piece: _Piece, stamp: Stamp, part: int, parts: int) -> Write:
    admitted, dataset, options = piece.admitted, piece.admitted.dataset, stamp.options
    indexes = _indexes(piece)
    return Write(
        id=stamp.write_id,
        workspace=stamp.workspace if dataset is None else dataset.workspace,
        dataset=admitted.name if dataset is None else dataset.name,
        dataset_id=0 if dataset is None else dataset.id,
        version=0 if dataset is None else dataset.version,
        at=stamp.at,
        flags=(PERSIST if options.persist else 0) | (EVENT if options.event else 0),
        handling=options.handling,
        records=piece.records,
        part=part,
        parts=parts,
        indexes=indexes,
        rejected=stamp.rejected if part == 0 else 0,
        keyed=stamp.keyed,
    )


def _indexes(piece: _Piece) -> list[int] | None:
    places = piece.admitted.indexes
    if piece.positions is None:
        return places
    return piece.positions if places is None else [places[i] for i in piece.positions]
