"""A caller of the line-protocol doors."""

from typing import Any

from tests.stage.broker import Answer
from tests.stage.house import House


async def v2(here: House, workspace: str, body: str | bytes, **asked: Any) -> Answer:
    """Write as InfluxDB 2's clients do, into the bucket `b`; wait until it is stored unless told not to."""
    headers, token = asked.pop("headers", {}), asked.pop("token", None)
    params = {"org": workspace, "bucket": "b", "wait": "true", **asked}
    data = body.encode() if isinstance(body, str) else body
    return await here.client.post("/api/v2/write", params=params, data=data, headers=headers, token=token)


async def read(here: House, workspace: str, dataset: str) -> list[dict[str, Any]]:
    """Return the records of a dataset, oldest first, without their ids."""
    answer = await here.client.get(f"/v1/data/{workspace}/{dataset}?limit=10000")
    assert answer.status == 200, answer.body
    return [{n: v for n, v in r.items() if n != "_id"} for r in reversed(answer.json)]
