"""A write cut into parts, before it meets others: part = (partition, k-th 512 KB of its own records).

The cut depends on nothing but the records, so a keyed write that is sent again is cut alike.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from msgspec import Struct

from api.lane.admitted import Admitted
from api.lane.door import Options
from rules.envelope import EVENT, PERSIST, Record, Write
from rules.schema.dataset import Dataset
from rules.schema.points import Table
from rules.schema.stored import stored_values
from streams.topics import dataset_partition, record_partition
from streams.wire import encode, encode_columns, encode_record


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
    table: Table | None = None

    @property
    def size(self) -> int:
        return len(self.records) if self.table is None else len(self.table.lines)


def cut(admitted: list[Admitted], stamp: Stamp, partitions: int, most: int) -> list[Part]:
    """Return the parts of a write; `most` is the size in bytes a part with several records may have."""
    pieces = [piece for one in admitted if one.count for piece in _pieces(one, stamp, partitions)]
    if len(pieces) == 1:
        write = _write(pieces[0], stamp, 0, 1)
        entry = encode(write)
        if len(entry) <= most or pieces[0].size == 1:
            return [Part(pieces[0].partition, entry, pieces[0].size)]
    small = [smaller for piece in pieces for smaller in _split(piece, most)]
    return [
        Part(piece.partition, encode(_write(piece, stamp, number, len(small))), piece.size)
        for number, piece in enumerate(small)
    ]


def _pieces(admitted: Admitted, stamp: Stamp, partitions: int) -> Iterator[_Piece]:
    dataset = admitted.dataset
    if dataset is None or not dataset.partition_by:
        made_as = admitted.name if dataset is None else dataset.made_as or dataset.name
        workspace = stamp.workspace if dataset is None else dataset.workspace
        partition = dataset_partition(workspace, made_as, partitions)
        if admitted.records:
            yield _Piece(admitted, partition, None, admitted.records)
        for table in admitted.tables:
            yield _Piece(admitted, partition, None, [], table)
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


def _split_table(piece: _Piece, table: Table, most: int) -> Iterator[_Piece]:
    """Halve a table until each piece is small enough, or one row."""
    rows = len(table.lines)
    if rows == 1 or len(encode_columns(table.columns)) <= most:
        yield piece
        return
    for part in (slice(None, rows // 2), slice(rows // 2, None)):
        half = Table(table.names, [column[part] for column in table.columns], table.lines[part])
        yield from _split_table(piece._replace(table=half), half, most)


def _split(piece: _Piece, most: int) -> Iterator[_Piece]:
    if piece.table is not None:
        yield from _split_table(piece, piece.table, most)
        return
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
    table = piece.table
    first, indexes = (0, _indexes(piece)) if table is None else _lines(table.lines)
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
        first=first,
        indexes=indexes,
        rejected=stamp.rejected if part == 0 else 0,
        keyed=stamp.keyed,
        names=[] if table is None else table.names,
        columns=[] if table is None else table.columns,
    )


def _lines(lines: Sequence[int]) -> tuple[int, list[int] | None]:
    """Return the first line, and all of them where they do not follow each other."""
    if lines[-1] - lines[0] == len(lines) - 1:
        return lines[0], None
    return 0, list(lines)


def _indexes(piece: _Piece) -> list[int] | None:
    places = piece.admitted.indexes
    if piece.positions is None:
        return places
    return piece.positions if places is None else [places[i] for i in piece.positions]
