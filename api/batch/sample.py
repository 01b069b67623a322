"""The first records of a body, in whatever format a load takes, and the types of their columns."""

from dataclasses import dataclass
from typing import Any

from api.batch.columns import records_of
from api.decode.blocks import BrokenError
from api.decode.sniff import HEAD, Form, blocks_of, sniff
from rules.errors import BAD_JSON, Problem, Refusal
from rules.limits import Limits
from rules.names import SYSTEM_FIELDS
from rules.schema.cells import join_types, type_of_cells
from rules.schema.dataset import ColumnType
from rules.schema.infer import UNSEEN, infer


@dataclass(frozen=True, slots=True)
class Sample:
    """Records, the types that their columns ask for, and those that can't be read."""

    records: list[Any]
    types: dict[str, ColumnType]
    refused: list[Refusal]


def sample(body: bytes, most: int, limits: Limits) -> Sample:
    """Return the first `most` records of a body that is whole in memory.

    Raises: Problem(bad_json) where it can't be read.
    """
    try:
        form = sniff(body[:HEAD], limits)
        rows, refused = _first(body, form, most, limits)
    except BrokenError as broken:
        raise Problem(BAD_JSON, str(broken)) from broken
    if form.header is None:
        return Sample(rows, infer(rows), refused)
    found = dict.fromkeys(form.header.names, UNSEEN)
    for name, cells in zip(form.header.names, zip(*rows, strict=True), strict=False):
        found[name] = join_types(found[name], type_of_cells(cells))
    types = {name: seen.type for name, seen in found.items() if name not in SYSTEM_FIELDS}
    kinds = [types.get(name) for name in form.header.names]
    return Sample(records_of(form.header.names, kinds, rows), types, refused)


def _first(body: bytes, form: Form, most: int, limits: Limits) -> tuple[list[Any], list[Refusal]]:
    rows: list[Any] = []
    refused: list[Refusal] = []
    blocks = blocks_of(form, form.begin, limits)
    blocks.feed(body[form.begin.at :])
    blocks.end()
    while len(rows) < most and (block := blocks.next()) is not None:
        rows += block.rows
        refused += (Refusal(one.index, "", one.code, one.message) for one in block.refused)
    return rows[:most], refused
