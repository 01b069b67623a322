"""The ASGI application: the lane for writes, FastAPI for everything else."""

import time
from collections.abc import Awaitable, Callable
from typing import Final, cast

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from fastapi.routing import iter_route_contexts
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import Route

from api import health, openapi
from api.apperate import rules as apperate_rules
from api.entry.answer import Answer, Headers, Receive, Scope, Send, problem
from api.entry.body import GoneError
from api.entry.params import Params
from api.entry.stop import answering_at_the_stop
from api.health import Vitals
from api.influx import compat
from api.influx.write import influx_doors
from api.lane.door import Door
from api.lane.lane import Lane
from api.lane.lane import Parts as LaneParts
from api.qrvey import postdata, status
from api.services import Services
from api.v1 import (
    alerts,
    data,
    datasets,
    events,
    jobs,
    load,
    quarantine,
    removing,
    rules,
    sql,
    subscriptions,
    tokens,
    writes,
)
from api.v1.record import RecordDoor
from rules.errors import (
    BAD_REQUEST,
    INTERNAL,
    METHOD_NOT_ALLOWED,
    NOT_FOUND,
    STORE_UNAVAILABLE,
    Later,
    Never,
    Problem,
)

App = Callable[[Scope, Receive, Send], Awaitable[None]]

DOORS: Final[dict[str, Door]] = {
    "/v1/record": RecordDoor(wait=False),
    "/v1/write": RecordDoor(wait=True),
}
NATIVE: Final = {path: door.waits for path, door in DOORS.items() if isinstance(door, RecordDoor)}
"""The native doors, and whether they wait until a write is stored unless told otherwise."""

HEADS: Final = frozenset({"/ping", "/health"})
"""What is asked for with HEAD by those who only want to know whether somebody is there."""

EXPOSED: Final = ("Retry-After", "Sluice-Ignored", "X-Influxdb-Error", "X-Influxdb-Version")
"""Headers of answers that a page of another origin may read; without a word a browser hides them."""

ROUTERS: Final = (
    apperate_rules,  # before `rules`: its words stand where theirs has a workspace
    alerts,
    compat,
    data,
    datasets,
    events,
    jobs,
    load,
    postdata,
    quarantine,
    removing,
    rules,
    sql,
    status,
    subscriptions,
    tokens,
    writes,
)


def build(services: Services, lane_parts: LaneParts, vitals: Vitals, origins: tuple[str, ...] = ()) -> App:
    """Return the application. `origins` are those whose pages may call (CORS); without any it costs nothing.

    Named origins may also send what a proxy or a client certificate knows their user by; `*` may not.
    """
    lines = influx_doors(services.catalogue, services.limits, services.clock, partial=services.lines_partial)
    lane = Lane(lane_parts, {**DOORS, **lines})
    rest = answering_at_the_stop(_rest(services, vitals))

    def app(scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        if scope["type"] == "http" and scope["method"] == "HEAD" and scope["path"] in HEADS:
            scope = {**scope, "method": "GET"}  # the server sends no body for it
        door = lane.door(scope["path"]) if scope["type"] == "http" else None
        return rest(scope, receive, send) if door is None else lane.carry(door, scope, receive, send)

    if not origins:
        return app
    return CORSMiddleware(
        app,
        allow_origins=list(origins),
        allow_methods=["*"],
        allow_headers=["*"],
        allow_credentials="*" not in origins,
        expose_headers=EXPOSED,
    )


def _rest(services: Services, vitals: Vitals) -> FastAPI:
    # a redirect to the path without its last slash would carry a token in the query string, and over http
    app = FastAPI(title="Sluice", openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    app.state.services, app.state.vitals = services, vitals
    app.include_router(health.router)
    for module in ROUTERS:
        app.include_router(module.router)
    openapi.describe(app, NATIVE)

    @app.exception_handler(Problem)
    async def _problem(_: Request, error: Problem) -> Response:
        return _response(problem(error))

    @app.exception_handler(Later)
    async def _later(_: Request, error: Later) -> Response:
        return _response(
            problem(Problem(STORE_UNAVAILABLE, f"The database can't do this now: {error.shown}."))
        )

    @app.exception_handler(Never)
    async def _never(request: Request, error: Never) -> Response:
        path = request.scope["path"]
        if "\0" in path:  # no name holds it, so nothing answers to one that does
            return _response(problem(Problem(NOT_FOUND, f"There is nothing at {path!r}.")))
        return _response(problem(Problem(error.code, f"The database refuses a value: {error.message}.")))

    @app.exception_handler(RequestValidationError)
    async def _invalid(_: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        where = ".".join(str(step) for step in first["loc"])
        return _response(problem(Problem(BAD_REQUEST, f"{where}: {first['msg']}.")))

    @app.exception_handler(HTTPException)
    async def _http(request: Request, error: HTTPException) -> Response:
        path = request.url.path
        if error.status_code == 405:
            allow = ", ".join(sorted(_methods(app, path)))
            refused = Problem(METHOD_NOT_ALLOWED, f"{path} takes {allow}, not {request.method}.")
            return _response(problem(refused, ((b"allow", allow.encode()),)))
        return _response(
            problem(Problem(NOT_FOUND, f"There is nothing at {path}; /docs lists what there is."))
        )

    @app.middleware("http")
    async def _count(request: Request, call: Callable[[Request], Awaitable[Response]]) -> Response:
        started = time.perf_counter()
        try:
            response = await call(request)
        except GoneError:
            return Response(status_code=400)  # nobody is there to read it
        except Exception as error:
            health.log_failure(request, error)
            response = _response(problem(Problem(INTERNAL)))
        for name, value in _ignored(request):
            response.headers.setdefault(name.decode(), value.decode())
        services.meter.count("requests_total", status=f"{response.status_code // 100}xx")
        services.meter.time("request_seconds", time.perf_counter() - started)
        return response

    return app


def _methods(app: FastAPI, path: str) -> set[str]:
    """Return what may be done at a path; the router's own word is of the first route that fits."""
    routes = (context.original_route for context in iter_route_contexts(app.routes))
    fitting = (route for route in routes if isinstance(route, Route) and route.path_regex.match(path))
    return {method for route in fitting for method in route.methods or ()}


def _ignored(request: Request) -> Headers:
    """Return the header that lists the parameters the endpoint did not ask for."""
    try:
        params = getattr(request.state, "params", None) or Params(request.scope["query_string"])
    except Problem:
        return ()
    return cast(Params, params).ignored


def _response(answer: Answer) -> Response:
    headers = {name.decode(): value.decode() for name, value in (answer.content_type, *answer.headers)}
    return Response(answer.body, answer.status, headers)
