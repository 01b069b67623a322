"""Calls of the command line on a running broker, as its administrator: `sluice token`."""

from typing import Any

import aiohttp

from infra.first_start import kept_token
from infra.settings import Settings


def administrators(settings: Settings) -> str:
    """Return the token of the administrator of a broker that runs: the one given, else the one it keeps.

    Raises: ConnectionError with a sentence; WrongSetting.
    """
    if settings.admin_token is not None:
        return settings.admin_token.get_secret_value()
    kept = kept_token(settings.data)
    if kept is None:
        raise ConnectionError(
            f"there is no administrator's token in {settings.data}; name the broker's data directory with "
            f"--data, or give SLUICE_ADMIN_TOKEN."
        )
    return kept


async def make_token(settings: Settings, url: str | None, body: dict[str, Any]) -> str:
    """Return a new token.

    Raises: ConnectionError with a sentence where there is no broker, or it refuses; WrongSetting.
    """
    base = url or f"http://{settings.host}:{settings.port}"
    headers = {"Authorization": f"Bearer {administrators(settings)}"}
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
