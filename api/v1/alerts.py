"""`/v1/alerts/{workspace}`: what was raised, acknowledgement, and the stream of changes."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, Final

from fastapi import APIRouter, Request
from sqlalchemy import Connection

from api.described import answers, extra, json_body, query
from api.described import stream as event_stream
from api.entry.caller import caller, json_of, object_of, params_of, services_of, still_may
from api.entry.params import Params
from api.feeds.feed import read_place, show_place
from api.feeds.sse import COMMENT_EVERY, EventStream, alert_event, comment, pieces
from api.services import Services
from rules.alerting.alert import Alert, acknowledge
from rules.alerting.fields import refuse_unknown
from rules.errors import ALERT_NOT_FOUND, BAD_PARAMETER, BAD_REQUEST, Problem
from rules.schema.moments import parse_time
from storage import alerts
from storage.alerts import FeedPlace, Wanted
from streams.awaiting import on_loop

router = APIRouter(tags=["alerts"])

_STATES: Final = ("firing", "resolved")
_ALERT: Final = {
    "id": "2b7d3c0a5b1f4e6d8c9a0b1c2d3e4f50",
    "rule": "hot",
    "ruleVersion": 1,
    "workspace": "acme",
    "dataset": "readings",
    "key": {"station": "oslo"},
    "state": "firing",
    "severity": "warning",
    "message": "hot: temp > 30 (station=oslo)",
    "at": "2026-11-21T13:05:00Z",
    "event": {"station": "oslo", "temp": 31.5},
    "position": "1.2.42.0",
    "acknowledged": None,
}
_SEEN: Final = {**_ALERT, "acknowledged": {"by": "the shop", "at": "2026-11-21T13:06:00Z", "note": "on it"}}
_LISTED: Final = extra(
    query("rule", "Only the alerts of this rule."),
    query("state", "Only those that are so.", enum=list(_STATES)),
    query("from", "Raised from here on: RFC 3339, a date, or milliseconds since 1970."),
    query("to", "Raised up to here."),
    query("after", "Go on behind a page: what its `next` gave.", pattern=r"^[0-9]{1,19}\.[0-9]{1,19}$"),
    query("limit", "How many.", "integer", minimum=1, maximum=1_000, default=100),
)
_LAST_EVENT: Final = {
    "name": "Last-Event-ID",
    "in": "header",
    "description": "The id of the notification seen last: those behind it come first.",
    "schema": {"type": "string"},
}


@router.get(
    "/v1/alerts/{workspace}",
    openapi_extra=_LISTED,
    responses=answers(
        200, "The alerts; `next` is null at the end.", {"alerts": [_ALERT], "next": None}, "Alerts"
    ),
)
async def listing(request: Request, workspace: str) -> dict[str, Any]:
    """List alerts, newest first. `next` goes back as `after`."""
    caller(request, "read", workspace)
    services = services_of(request)
    wanted = _wanted(workspace, params_of(request), services.limits.alerts_page)
    found = await on_loop(services.store.read(lambda c: alerts.listing(c, wanted)))
    return {
        "alerts": [alert.to_json() for alert in found.alerts],
        "next": None if found.next is None else show_place(found.next),
    }


@router.get(
    "/v1/alerts/{workspace}/stream",
    openapi_extra=extra(_LAST_EVENT),
    responses=event_stream(
        "Notifications, each with its id, a comment every 15 seconds.",
        f"event: alert\nid: {_ALERT['id']}\ndata: {{…}}\n\n",
    ),
)
async def stream(request: Request, workspace: str) -> EventStream:
    """Send alerts as they change, as server-sent events; `Last-Event-ID` resumes without a gap."""
    caller(request, "read", workspace)
    services = services_of(request)
    services.streams.check()
    place = await services.alerts.place(workspace, request.headers.get("last-event-id"))
    return EventStream(_events(request, services, workspace, place))


async def _events(
    request: Request, services: Services, workspace: str, place: FeedPlace
) -> AsyncGenerator[bytes, None]:
    services.streams.opened("alerts")
    try:
        # with a place as its id, so that a reader who loses the connection before the first alert resumes too
        yield f": here are the alerts\nid: {show_place(place)}\n\n".encode()
        async with aclosing(services.alerts.follow(workspace, place, COMMENT_EVERY)) as pages:
            async for page in pages:
                if not still_may(request, "read", workspace):
                    return
                for piece in pieces(map(alert_event, page)) if page else (comment("still here"),):
                    yield piece
    finally:
        services.streams.closed("alerts")


@router.get("/v1/alerts/{workspace}/{alert}", responses=answers(200, "The alert.", _ALERT, "Alert"))
async def read(request: Request, workspace: str, alert: str) -> dict[str, Any]:
    """Show an alert."""
    caller(request, "read", workspace)
    store = services_of(request).store
    return (await on_loop(store.read(lambda c: _existing(c, workspace, alert)))).to_json()


@router.post(
    "/v1/alerts/{workspace}/{alert}/ack",
    openapi_extra=extra(
        body=json_body("A note, if there is one.", {"note": "on it"}, "Acknowledgement", required=False)
    ),
    responses=answers(200, "The alert.", _SEEN, "Alert"),
)
async def ack(request: Request, workspace: str, alert: str) -> dict[str, Any]:
    """Acknowledge an alert, with a note."""
    token = caller(request, "rules", workspace)
    services = services_of(request)
    body = object_of(await json_of(request, workspace, {}), "note is a text")
    refuse_unknown(body, ("note",), "word about an alert", BAD_REQUEST)
    note = body.get("note", "")
    if not isinstance(note, str):
        raise Problem(BAD_REQUEST, "note must be a text.")
    now = services.clock()

    def keep(c: Connection) -> Alert:
        seen = acknowledge(_existing(c, workspace, alert), token.title or token.id, note, now)
        alerts.replace(c, seen)
        return seen

    return (await on_loop(services.store.write(keep))).to_json()


def _existing(c: Connection, workspace: str, alert: str) -> Alert:
    found = alerts.find(c, workspace, alert)
    if found is None:
        raise Problem(ALERT_NOT_FOUND, f"There is no alert {alert[:64]!r} in {workspace}.")
    return found


def _wanted(workspace: str, params: Params, most: int) -> Wanted:
    state = params.text("state")
    if state is not None and state not in _STATES:
        raise Problem(BAD_PARAMETER, f"state={state[:40]!r} is none of firing, resolved.")
    return Wanted(
        workspace,
        params.text("rule"),
        state,
        _time(params, "from"),
        _time(params, "to"),
        _after(params.text("after")),
        params.whole("limit", 100, 1, most),
    )


def _time(params: Params, name: str) -> int | None:
    text = params.text(name)
    try:
        return None if text is None else parse_time(text)
    except ValueError as error:
        raise Problem(BAD_PARAMETER, f"{name}: {error}") from error


def _after(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    found = read_place(text)
    if found is None:
        raise Problem(BAD_PARAMETER, "after takes what 'next' of the page before gave.")
    return found
