"""npm's packages of `package.json`, installed once a run into a folder of its own; without Node it fails."""

import atexit
import os
import subprocess
from functools import cache
from pathlib import Path
from shutil import copy, rmtree, which
from tempfile import mkdtemp

from tests.clients.broker import TOKEN
from tests.stage.process import Broker

HERE = Path(__file__).parent


def tool(name: str) -> str:
    """Return where a program is. These tests were asked for by name, so none of them is left out."""
    found = which(name)
    assert found is not None, f"{name} is not installed; the real clients need Node 18 or newer and npm."
    return found


@cache
def folder() -> Path:
    """Return a folder with the packages installed and the scripts beside them; what it costs is paid once."""
    made = Path(mkdtemp(prefix="sluice-clients-"))
    atexit.register(rmtree, made, ignore_errors=True)
    for name in ("package.json", "write.mjs", "apperate.cjs"):
        copy(HERE / name, made / name)
    words = [tool("npm"), "install", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"]
    subprocess.run(words, cwd=made, timeout=300, check=True)
    return made


def run(running: Broker, script: str, *words: str, **env: str) -> str:
    """Run a script of the folder against a broker, and return what it prints."""
    env = {**os.environ, "HOST": running.url, "T": TOKEN, **env}
    command = [tool("node"), script, *words]
    done = subprocess.run(command, cwd=folder(), env=env, timeout=120, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
