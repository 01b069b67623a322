"""`sluice token`: asks a running broker for a token, as its administrator."""

import sys
from typing import Any

import aiohttp

from infra.first_start import FILE_NAME, admin_token
from infra.settings import Settings


async def make_token(settings: Settings, url: str | None, body: dict[str, Any]) -> str:
    """Return a new token.

    Raises: ConnectionError with a sentence where there is no broker, or it refuses.
    """
    base = url or f"http://{settings.host}:{settings.port}"
    given = settings.admin_token
    if given is None and not (settings.data / FILE_NAME).exists():
        raise ConnectionError(
            f"there is no administrator's token in {settings.data}; name the broker's data directory with "
            f"--data, or give SLUICE_ADMIN_TOKEN."
        )
    secret, _ = admin_token(settings.data, None if given is None else given.get_secret_value(), sys.stderr)
    headers = {"Authorization": f"Bearer {secret}"}
    try:
        async with (
            aiohttp.ClientSession(headers=headers) as session,
            session.post(f"{base}/v1/tokens", json=body) as answer,
        ):
            told = await answer.json(content_type=None)
    except (aiohttp.ClientError, OSError) as error:
        raise ConnectionError(
            f"no broker answers at {base}: {error}. Start one with 'sluice serve'."
        ) from error
    if answer.status != 201:
        raise ConnectionError(str(told.get("detail", told)))
    return str(told["token"])
