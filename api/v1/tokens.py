"""`/v1/tokens`: made, listed, revoked; in force in this process as soon as it has answered."""

import secrets
from typing import Any, Final

from fastapi import APIRouter, Request, Response
from sqlalchemy import Connection

from api.described import answers, extra, json_body, query
from api.entry.caller import identified, json_of, object_of, params_of, services_of
from api.v1.render import reply
from rules.alerting.fields import refuse_unknown
from rules.errors import BAD_PARAMETER, BAD_REQUEST, FORBIDDEN, NOT_FOUND, Problem
from rules.ids import token_hash
from rules.names import dataset_name, workspace_name
from rules.schema.moments import MAX_MOMENT, format_moment, parse_moment
from rules.schema.values import shown
from rules.token import SCOPES, Token, may, scopes
from storage import tokens
from streams.awaiting import on_loop

router = APIRouter(tags=["tokens"])

ADMINISTRATOR: Final = "admin"
MOST: Final = 10_000
_SECOND: Final = 10**9
_TITLE: Final = 256

_WISHES: Final = ("workspace", "dataset", "scopes", "title", "expires")
_MADE: Final = {"workspace": "acme", "scopes": ["read", "write"], "title": "the shop", "expires": None}


@router.post(
    "/v1/tokens",
    status_code=201,
    openapi_extra=extra(
        body=json_body(
            "`workspace`; `dataset` to bind it to one; `scopes` of read, write, rules and admin; `title`; "
            "`expires` as RFC 3339 or in seconds since 1970.",
            _MADE,
            "TokenGiven",
        )
    ),
    responses=answers(
        201,
        "The token, shown this once.",
        {"id": "tk_4f1d2c3b4a596877", "token": "sk_dGhpcyBpcyBub3QgYSB0b2tlbg"},
        "TokenMade",
    ),
)
async def make(request: Request) -> Response:
    """Make a token: an administrator for any workspace, an `admin` of a workspace for that one."""
    services, params = services_of(request), params_of(request)
    mine = identified(request)
    wanted = _read(object_of(await json_of(request, mine.workspace or ""), "a token"), services.clock())
    services.gate.allow(mine, "admin", wanted.workspace)
    secret = ("pk_" if wanted.scopes == {"read"} else "sk_") + secrets.token_urlsafe(32)
    now = services.clock()

    def body(c: Connection) -> tuple[dict[str, Token], int]:
        if len(tokens.by_hash(c)) >= MOST:
            raise Problem(BAD_REQUEST, f"There are {MOST} tokens, as many as there may be; revoke some.")
        tokens.keep(c, wanted, token_hash(secret), now)
        return tokens.known(c)

    # read in the transaction that changed them: of two changes the later one is also known last
    services.gate.know(*await on_loop(services.store.write(body)))
    return reply({"id": wanted.id, "token": secret}, 201, params.ignored)


@router.get(
    "/v1/tokens",
    openapi_extra=extra(query("workspace", "Only the tokens of this workspace.")),
    responses=answers(
        200,
        "The tokens, without their secrets, oldest first.",
        {"tokens": [{"id": "tk_4f1d2c3b4a596877", "dataset": None, **_MADE}]},
        "Tokens",
    ),
)
async def listing(request: Request) -> Response:
    """List tokens without their secrets: an administrator all, an `admin` of a workspace its own."""
    services, params = services_of(request), params_of(request)
    mine = identified(request)
    workspace = params.text("workspace", mine.workspace)
    services.gate.allow(mine, "admin", workspace)
    found = await on_loop(services.store.read(lambda c: tokens.listing(c, workspace)))
    return reply({"tokens": [_shown(token) for token in found]}, headers=params.ignored)


@router.delete("/v1/tokens/{token_id}", status_code=204, responses=answers(204, "It is revoked."))
async def revoke(request: Request, token_id: str) -> Response:
    """Revoke a token. The administrator's own can't be: it is the one kept in the data directory."""
    services, params = services_of(request), params_of(request)
    mine = identified(request)
    services.gate.allow(mine, "admin", mine.workspace)
    if token_id == ADMINISTRATOR:
        raise Problem(
            FORBIDDEN,
            "The administrator's token can't be revoked over HTTP; delete its file in the data directory, or "
            "change SLUICE_ADMIN_TOKEN, and start the broker again.",
        )

    def body(c: Connection) -> tuple[dict[str, Token], int] | None:
        found = next((t for t in tokens.listing(c, mine.workspace) if t.id == token_id), None)
        if found is None or not may(mine, "admin", found.workspace) or not tokens.revoke(c, token_id):
            return None
        return tokens.known(c)

    known = await on_loop(services.store.write(body))
    if known is None:
        raise Problem(NOT_FOUND, f"There is no token {token_id[:64]!r}.")
    services.gate.know(*known)
    return Response(status_code=204, headers={n.decode(): v.decode("latin-1") for n, v in params.ignored})


def _read(given: dict[str, Any], now: int) -> Token:
    """Return the token that a body asks for, under a new id. Raises: Problem."""
    # left out, a misspelt `dataset` or `expires` would make a token that may more, or longer, than was meant
    refuse_unknown(given, _WISHES, "token", BAD_PARAMETER)
    workspace, dataset = given.get("workspace"), given.get("dataset")
    if not isinstance(workspace, str):
        raise Problem(BAD_REQUEST, f"workspace must be the name of a workspace; {shown(workspace)} came.")
    if dataset is not None and not isinstance(dataset, str):
        raise Problem(BAD_REQUEST, f"dataset must be the name of a dataset; {shown(dataset)} came.")
    granted = scopes(given.get("scopes"))
    if granted is None:
        raise Problem(BAD_PARAMETER, f"scopes must be a list of {', '.join(sorted(SCOPES))}; at least one.")
    title = given.get("title") or ""
    if not isinstance(title, str) or len(title) > _TITLE:
        raise Problem(BAD_PARAMETER, f"title must be a text of at most {_TITLE} characters.")
    return Token(
        id="tk_" + secrets.token_hex(8),
        scopes=granted,
        workspace=workspace_name(workspace),
        dataset=None if dataset is None else dataset_name(dataset),
        title=title,
        expires=_expires(given.get("expires"), now),
    )


def _expires(given: Any, now: int) -> float | None:
    """Return when a token ends, in seconds since 1970, None for never."""
    if given is None:
        return None
    try:
        moment = parse_moment(given) / _SECOND if isinstance(given, str) else given
    except ValueError as error:
        raise Problem(BAD_PARAMETER, f"expires can't be read: {error}") from error
    if isinstance(moment, bool) or not isinstance(moment, int | float):
        raise Problem(BAD_PARAMETER, "expires must be RFC 3339 or seconds since 1970.")
    if not now / _SECOND < moment <= MAX_MOMENT / _SECOND:
        raise Problem(BAD_PARAMETER, f"expires={shown(given)} does not lie ahead (before the year 2262).")
    return float(moment)


def _shown(token: Token) -> dict[str, Any]:
    expires = None if token.expires is None else format_moment(int(token.expires * _SECOND))
    return {
        "id": token.id,
        "workspace": token.workspace,
        "dataset": token.dataset,
        "scopes": sorted(token.scopes),
        "title": token.title,
        "expires": expires,
    }
