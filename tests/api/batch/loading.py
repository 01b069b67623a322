"""Loads made and followed to their end."""

from typing import Any

from tests.stage.broker import Client
from tests.stage.patience import eventually

ENDED = {"INGESTED", "ERROR", "CANCELLED"}


async def loaded(client: Client, path: str, body: bytes, **kwargs: Any) -> dict[str, Any]:
    """Load a body and return the job once it has ended."""
    answer = await client.post(f"/v1/data/{path}", data=body, **kwargs)
    assert answer.status == 202, answer.body
    return await ended(client, answer.json["jobUrl"])


async def ended(client: Client, url: str, deadline: float = 30.0) -> dict[str, Any]:
    """Return a job once it has ended."""

    async def look() -> dict[str, Any]:
        job: dict[str, Any] = (await client.get(url)).json
        assert job["status"] in ENDED, job
        return job

    return await eventually(look, deadline)


async def invalid(client: Client, workspace: str, job: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the log of invalid records."""
    url = f"/v1/jobs/{workspace}/ingest/{job['jobId']}/invalid-records-log"
    found: list[dict[str, Any]] = (await client.get(url, headers={"Accept": "application/json"})).json
    return found
