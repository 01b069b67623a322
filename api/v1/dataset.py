"""A dataset as callers see it, and the example that the document shows."""

from typing import Any, Final

from rules.schema.dataset import Dataset

DECLARATION: Final = {
    "datasetId": "quotes",
    "title": "Quotes of the day",
    "schema": {
        "type": "object",
        "properties": {"symbol": {"type": "string"}, "price": {"type": ["number", "null"]}},
        "required": ["symbol"],
    },
    "columnMapping": {"key": "symbol"},
    "mode": "evolve",
}
SHOWN: Final = {
    "datasetId": "quotes",
    "title": "Quotes of the day",
    "workspace": "acme",
    "schema": DECLARATION["schema"],
    "columnMapping": {"key": "symbol", "subkey": None, "date": None},
    "mode": "evolve",
    "partitionBy": [],
    "retention": None,
    "version": 1,
    "columns": [{"name": "symbol", "type": "string"}, {"name": "price", "type": "number"}],
    "createdOnDemand": False,
}


def described(dataset: Dataset) -> dict[str, Any]:
    """Return a dataset as callers see it; an InfluxDB measurement shows its bucket and measurement too."""
    mapped = [name for name in dataset.key if name not in (dataset.subkey, dataset.date)]
    key = mapped if len(mapped) > 1 else next(iter(mapped), None)
    return {
        "datasetId": dataset.name,
        "title": dataset.title,
        "workspace": dataset.workspace,
        "schema": dataset.schema,
        "columnMapping": {"key": key, "subkey": dataset.subkey, "date": dataset.date},
        "mode": dataset.mode,
        "partitionBy": list(dataset.partition_by),
        "retention": dataset.retention,
        "version": dataset.version,
        "columns": [{"name": column.name, "type": column.type.value} for column in dataset.columns],
        "createdOnDemand": not dataset.declared,
        **dataset.labels,
    }
