"""A receiver of webhooks that remembers what came and behaves as badly as it is told to."""

import asyncio
import json
import threading
from collections import deque
from collections.abc import Coroutine, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self, TypeVar

from aiohttp import web
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

T = TypeVar("T")

MAX_KEPT = 100_000
MAX_BODY = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Received:
    """One request, as it came. Header names are in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body, decoded."""
        return json.loads(self.body)

    @property
    def id(self) -> str:
        """The notification's id."""
        return self.headers["webhook-id"]

    def signed_with(self, secret: str) -> bool:
        """Whether the signature is that of `secret` and its time within 5 minutes of now."""
        try:
            Webhook(secret).verify(self.body, dict(self.headers), json_parse=False)
        except WebhookVerificationError:
            return False
        return True


@dataclass(frozen=True, slots=True)
class Answer:
    """What a request is answered with, `hang`: only after `release`."""

    status: int = 200
    headers: Mapping[str, str] | None = None
    body: bytes = b""
    hang: bool = False


class Collector:
    """A web server on a free port of 127.0.0.1, in a thread of its own; use it as a context manager.

    It answers 200 to whatever comes. `answer` and `hang` tell what the next requests get instead, in the
    order they were told; `always` what those after them get. Threads and event loops may both use it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._received: deque[Received] = deque(maxlen=MAX_KEPT)
        self._next: deque[Answer] = deque(maxlen=MAX_KEPT)
        self._default = Answer()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="collector", daemon=True)
        self._released = asyncio.Event()
        self.port = 0

    @property
    def url(self) -> str:
        """Where webhooks go."""
        return f"http://127.0.0.1:{self.port}/hook"

    @property
    def received(self) -> list[Received]:
        """All requests so far, in the order they came, those that hang too."""
        with self._lock:
            return list(self._received)

    def ids(self) -> list[str]:
        """Return the notification ids of all requests so far."""
        return [each.id for each in self.received]

    def answer(self, status: int, times: int = 1, headers: Mapping[str, str] | None = None) -> None:
        """Answer the next `times` requests with `status`."""
        with self._lock:
            self._next.extend([Answer(status, headers)] * times)

    def always(self, status: int, headers: Mapping[str, str] | None = None) -> None:
        """Answer with `status` whenever nothing else was told."""
        with self._lock:
            self._default = Answer(status, headers)

    def hang(self, times: int = 1) -> None:
        """Take the next `times` requests and answer them 200 only after `release`."""
        with self._lock:
            self._next.extend([Answer(hang=True)] * times)

    def release(self) -> None:
        """Answer what hangs; requests hang anew only after another `hang`."""
        self._loop.call_soon_threadsafe(self._let_go)

    def __enter__(self) -> Self:
        self._thread.start()
        self._runner, self.port = self._call(self._open()).result(timeout=10)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()
        self._call(self._runner.cleanup()).result(timeout=10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=10)
        self._loop.close()

    def _let_go(self) -> None:
        # Those that wait hold the old event; those that come later get a new one.
        self._released.set()
        self._released = asyncio.Event()

    def _call(self, coroutine: Coroutine[Any, Any, T]) -> Future[T]:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop)

    async def _open(self) -> tuple[web.ServerRunner, int]:
        runner = web.ServerRunner(web.Server(self._handle), shutdown_timeout=0.2)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        return runner, int(runner.addresses[0][1])

    async def _handle(self, request: web.BaseRequest) -> web.Response:
        body = await request.content.read(MAX_BODY)
        while more := await request.content.read(MAX_BODY):
            body += more
            if len(body) > MAX_BODY:
                return web.Response(status=413)
        headers = {name.lower(): value for name, value in request.headers.items()}
        released = self._released
        with self._lock:
            self._received.append(Received(request.method, request.path_qs, headers, body))
            answer = self._next.popleft() if self._next else self._default
        if answer.hang:
            await released.wait()
        return web.Response(status=answer.status, headers=answer.headers, body=answer.body)
