"""schemathesis over the OpenAPI document, against a real broker: with a token, then without one.

It makes requests from the document, in every phase it has, and checks that no answer is the broker's
failure, that each has a status, a content type and a body that the document names, that other methods are
refused, that nothing but what is open answers without a token, and that what was deleted is gone.
"""

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

from tests.stage.process import HOUSE, Broker

CONFIG: Final = Path(__file__).with_name("schemathesis.toml")
STREAMS: Final = "/stream$"
"""Answers without an end: they are not asked for."""


def run(examples: int) -> list[str]:
    """Make up to `examples` requests an operation and phase; return what went wrong, in words."""
    broken = []
    with Broker({"SLUICE_FREE_DISK": "1MB", "SLUICE_LOG_FORMAT": "json"}) as broker:
        for headers in ([f"Authorization: Bearer {broker.token}"], []):
            command = _command(broker.url, examples, headers)
            hooks = {"SCHEMATHESIS_HOOKS": "tests.rubbish.hooks"}
            status = subprocess.run(command, check=False, cwd=HOUSE, env={**os.environ, **hooks}).returncode
            if status:
                broken.append(f"schemathesis {'with' if headers else 'without'} a token ended with {status}")
        if "Traceback" in broker.logs or '"level": "ERROR"' in broker.logs:
            broken.append(f"the broker's log tells of failures:\n{broker.logs[-4_000:]}")
        assert broker.stop() == 0
    return broken


def _command(url: str, examples: int, headers: list[str]) -> list[str]:
    command = [sys.executable, "-c", "from schemathesis.cli import schemathesis; schemathesis()"]
    command += ["--config-file", str(CONFIG), "run", f"{url}/openapi.json", "--max-examples", str(examples)]
    command += ["--exclude-path-regex", STREAMS, "--warnings", "off", "--continue-on-failure"]
    for header in headers:
        command += ["-H", header]
    return command
