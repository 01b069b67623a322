"""Datasets as tests say them, and what a check of records told."""

from typing import Any

from rules.errors import Code
from rules.limits import Limits
from rules.schema.check import Checker, Verdict
from rules.schema.dataset import ColumnType, Dataset
from rules.schema.declare import declare, on_demand
from rules.schema.evolve import Additions, NewType


def made(columns: dict[str, ColumnType], **more: Any) -> Dataset:
    new = tuple(NewType(name, kind) for name, kind in columns.items())
    return on_demand("acme", "readings", 1, Additions(columns=new), **more)


def declared(properties: dict[str, Any], mode: str = "strict", key: Any = None, **more: Any) -> Dataset:
    schema = {"type": "object", "properties": properties, **more}
    mapping = None if key is None else {"key": key}
    body = {"datasetId": "orders", "schema": schema, "mode": mode, "columnMapping": mapping}
    return declare("acme", {"dataset": body}, 1)


def check(dataset: Dataset, *records: Any, plain: bool = False, **limits: int) -> Verdict:
    return Checker(dataset, Limits(**limits)).check(list(records), plain=plain)


def reasons(verdict: Verdict) -> list[tuple[int, str, Code]]:
    return [(refusal.index, refusal.path, refusal.code) for refusal in verdict.refusals]
