"""What tests of the control endpoints share: datasets to ask about."""

from typing import Any

from tests.stage.broker import Client

QUOTES: dict[str, Any] = {
    "datasetId": "quotes",
    "schema": {
        "type": "object",
        "properties": {
            "symbol": {"type": "string"},
            "venue": {"type": "integer"},
            "at": {"type": "string", "format": "date-time"},
            "price": {"type": ["number", "null"]},
            "more": {"type": ["object", "null"]},
        },
        "required": ["symbol", "venue", "at"],
    },
    "columnMapping": {"key": "symbol", "subkey": "venue", "date": "at"},
}


def quote(symbol: str, venue: int, day: int, **more: Any) -> dict[str, Any]:
    """Return a record of `QUOTES` of noon on a day of January 2024."""
    return {"symbol": symbol, "venue": venue, "at": f"2024-01-{day:02d}T12:00:00Z", **more}


async def declared(client: Client, workspace: str, **changed: Any) -> None:
    """Declare `QUOTES`, changed."""
    answer = await client.post(f"/v1/datasets/{workspace}", json={"dataset": {**QUOTES, **changed}})
    assert answer.status == 201, answer.body


async def written(client: Client, workspace: str, dataset: str, *records: dict[str, Any]) -> None:
    """Write records and wait until they are stored."""
    answer = await client.post(f"/v1/write/{workspace}/{dataset}", json=list(records))
    assert answer.status == 200, answer.body
