"""The administrator's token in force: of one process with a database of its own, or of many that share one.

Alone, what the data directory keeps is in force. Where a database is shared every process has a directory of
its own: the first one that finds no administrator makes the token and keeps it, those that come later leave
it as it is, and `SLUICE_ADMIN_TOKEN` replaces it.
"""

import time
from dataclasses import dataclass, field
from logging import getLogger
from typing import Final, TextIO

from sqlalchemy import Connection

from infra.first_start import FILE_NAME, admin_token, forget_token, kept_token
from infra.settings import Settings
from rules.ids import token_hash
from rules.token import Token
from storage import tokens
from storage.store import Store
from streams.awaiting import on_loop

ADMINISTRATOR: Final = "admin"

_log = getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Crown:
    """The administrator's token, None where this process does not know it; `made`: just now."""

    token: str | None = field(repr=False)
    made: bool


def own_crown(settings: Settings, out: TextIO) -> Crown:
    """Return the token of a process whose database is its own. Raises: WrongSetting."""
    token, made = admin_token(settings.data, _given(settings), out)
    return Crown(token, made)


async def shared_crown(settings: Settings, store: Store, out: TextIO) -> Crown:
    """Return the token of a process that shares its database, put in force where there is none.

    Raises: WrongSetting, Later.
    """
    given = _given(settings)
    if given is not None:
        await on_loop(store.write(lambda c: enthrone(c, given, time.time_ns(), replace=True)))
        return Crown(given, made=False)
    mine, made = kept_token(settings.data), False
    in_force = await on_loop(store.read(lambda c: tokens.hash_of(c, ADMINISTRATOR)))
    if in_force is None:
        mine, made = admin_token(settings.data, None, out)
        in_force = await on_loop(store.write(lambda c: enthrone(c, mine, time.time_ns(), replace=False)))
    if mine is not None and in_force == token_hash(mine):
        return Crown(mine, made)
    if made:
        forget_token(settings.data)
    _log.info(
        "The administrator's token is another process's: the first one that ran on this database keeps it in "
        "its data directory as %s. SLUICE_ADMIN_TOKEN sets another one.",
        FILE_NAME,
        extra={"action": "first_start"},
    )
    return Crown(None, made=False)


def enthrone(c: Connection, token: str, now: int, *, replace: bool) -> str:
    """Make this the administrator's token, in the place of another one only with `replace`.

    Returns the hash of the one that is in force then. `now` is in ns.
    """
    administrator = Token(ADMINISTRATOR, frozenset({"admin"}), title="administrator")
    return tokens.settle(c, administrator, token_hash(token), now, replace=replace)


def _given(settings: Settings) -> str | None:
    return None if settings.admin_token is None else settings.admin_token.get_secret_value()
