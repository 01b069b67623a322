"""What single writes are measured against, each a process of its own: `python -m tests.bench.peers NAME`.

`constant` is the same uvicorn, set as ours is, answering a constant from raw ASGI without looking at the
request; `echo` is FastAPI answering with the body it was sent. Both print their port.
"""

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

import uvicorn
from fastapi import Body, FastAPI

HOUSE: Final = Path(__file__).resolve().parents[2]

ANSWER: Final = (
    b'{"success":true,"message":"wrote 1 messages","writeId":"0000000100068a1b2c3d4e5f01234567",'
    b'"ack":"logged","accepted":1,"rejected":0}'
)
_HEAD: Final = {
    "type": "http.response.start",
    "status": 202,
    "headers": [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(ANSWER))],
}
_BODY: Final = {"type": "http.response.body", "body": ANSWER}


class Peer(NamedTuple):
    """Where it serves, and its process id."""

    url: str
    pid: int


async def constant(_scope: Any, _receive: Any, send: Any) -> None:
    """Answer what a write is answered, and do nothing for it."""
    await send(_HEAD)
    await send(_BODY)


def echo() -> FastAPI:
    """Return an application that answers with the body."""
    app = FastAPI(openapi_url=None)

    @app.post("/{path:path}", status_code=202)
    async def answer(path: str, body: Any = Body()) -> Any:  # noqa: B008 - as FastAPI wants it
        return body

    return app


@contextmanager
def peer(name: str) -> Iterator[Peer]:
    """Run a peer."""
    process = subprocess.Popen(
        (sys.executable, "-m", "tests.bench.peers", name), cwd=HOUSE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        port = process.stdout.readline().strip()
        if not port:
            raise RuntimeError(f"The peer {name} did not start.")
        yield Peer(f"http://127.0.0.1:{port}", process.pid)
    finally:
        process.terminate()
        process.wait(timeout=10)


def serve(name: str) -> None:
    """Serve a peer until the process is told to end."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen(2048)
        print(sock.getsockname()[1], flush=True)
        app = constant if name == "constant" else echo()
        config = uvicorn.Config(
            app,
            loop="uvloop",
            http="httptools",
            lifespan="off",
            access_log=False,
            log_config=None,
            server_header=False,
            date_header=False,
        )
        uvicorn.Server(config).run(sockets=[sock])


if __name__ == "__main__":
    serve(sys.argv[1])
