"""The types of the JavaScript client, checked by the compiler that its callers use."""

import subprocess

from tests.clients.installed.npm import folder, tool
from tests.clients.test_javascript import SUITES

OPTIONS = ("--noEmit", "--strict", "--target", "es2022", "--module", "nodenext")
LIBRARIES = ("--lib", "es2022,dom,dom.asynciterable")


def test_they_allow_what_the_calls_take_and_refuse_the_rest() -> None:
    compiler = folder() / "node_modules" / "typescript" / "bin" / "tsc"
    command = [tool("node"), str(compiler), *OPTIONS, *LIBRARIES, str(SUITES / "types.ts")]
    done = subprocess.run(command, timeout=120, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
