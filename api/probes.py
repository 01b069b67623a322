"""What a process answers that takes no requests of callers: is it alive, is it ready, what it measures."""

from collections.abc import Awaitable, Callable

from api.entry.answer import Answer, Receive, Scope, Send, encode, problem
from api.health import LIVES, METRICS_TYPE, Vitals
from rules.errors import METHOD_NOT_ALLOWED, NOT_FOUND, Problem


def probes(
    vitals: Vitals, otherwise: Callable[[str], Problem]
) -> Callable[[Scope, Receive, Send], Awaitable[None]]:
    """Return the application: `/health`, `/ready`, `/metrics`, as the whole broker answers them.

    `otherwise` words, for a path, what anybody is told who asks for anything else.
    """

    async def app(scope: Scope, _: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await _answer(scope["method"], scope["path"], vitals, otherwise).send(send)

    return app


def works_behind(path: str) -> Problem:
    """Return what a process answers that takes no requests."""
    return Problem(
        NOT_FOUND,
        f"There is nothing at {path[:200]}: this process stores and judges, and answers /health, /ready and "
        f"/metrics. Ask one that runs 'sluice api'.",
    )


def _answer(method: str, path: str, vitals: Vitals, otherwise: Callable[[str], Problem]) -> Answer:
    if path not in ("/health", "/ready", "/metrics"):
        return problem(otherwise(path))
    if method not in ("GET", "HEAD"):
        return problem(Problem(METHOD_NOT_ALLOWED, f"{path} takes GET, not {method}."), ((b"allow", b"GET"),))
    if path == "/metrics":
        return Answer(200, vitals.metrics(), content_type=(b"content-type", METRICS_TYPE.encode()))
    if path == "/health":
        return Answer(200, encode(LIVES))
    report = vitals.readiness()
    return Answer(200 if report["status"] == "ready" else 503, encode(report))
