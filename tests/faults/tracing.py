"""System calls of a broker as strace saw them, in their order, and faults that strace puts into them."""

import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.faults.tools import needed
from tests.stage.patience import eventually_sync

_WHOLE = re.compile(r"^(\d+) +(\w+)\((.*)\) += (-?\d+|\?)")
_BEGUN = re.compile(r"^(\d+) +(\w+)\((.*?),? *<unfinished \.\.\.>$")
_RESUMED = re.compile(r"^(\d+) +<\.\.\. (\w+) resumed>(.*)\) += (-?\d+|\?)")


@dataclass(slots=True)
class Call:
    """One system call: `begin` and `end` are its places in the order of all beginnings and ends."""

    name: str
    args: str
    begin: int
    end: int
    result: str

    def on(self, text: str) -> bool:
        """Whether its first argument is a file whose path ends so."""
        return self.args.split(",", 1)[0].rstrip().rstrip(">").endswith(text)


def calls(trace: Path) -> list[Call]:
    """Return all calls of a trace, by their beginning."""
    found: list[Call] = []
    under_way: dict[tuple[str, str], Call] = {}
    with trace.open(errors="replace") as lines:
        for place, line in enumerate(lines):
            if match := _WHOLE.match(line):
                found.append(Call(match[2], match[3], place, place, match[4]))
            elif match := _BEGUN.match(line):
                call = Call(match[2], match[3], place, sys.maxsize, "?")
                found.append(call)
                under_way[match[1], match[2]] = call
            elif (match := _RESUMED.match(line)) and (match[1], match[2]) in under_way:
                call = under_way.pop((match[1], match[2]))
                call.end, call.result = place, match[4]
                call.args += match[3]
    return found


def traced(trace: Path, names: Sequence[str], *more: str) -> tuple[str, ...]:
    """Return the command that goes before another to trace it; the other keeps its process id."""
    strace = needed("strace")
    only = f"trace={','.join(names)}"
    return (strace, "-D", "-f", "-y", "-s", "8192", "-o", str(trace), "-e", only, *more)


def ended(trace: Path, pid: int) -> None:
    """Wait until the trace of a process is complete."""

    def whole() -> None:
        assert re.search(rf"^{pid} +\+\+\+ (killed|exited)", trace.read_text(errors="replace"), re.MULTILINE)

    eventually_sync(whole, 20)


@contextmanager
def failing(pid: int, path: Path, fault: str) -> Iterator[None]:
    """Make calls of a running process fail that touch a file; `fault` is strace's, as `fsync:error=EIO`."""
    names = fault.split(":", 1)[0]
    command = [needed("strace"), "-f", "-p", str(pid), "-P", str(path), "-e", f"trace={names}"]
    process = subprocess.Popen(
        [*command, "-e", f"inject={fault}", "-o", "/dev/null"], stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stderr is not None
        said = process.stderr.readline()
        while "attached" not in said:
            assert said, "strace ended before it was attached"
            said = process.stderr.readline()
        yield
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(20)
        assert process.stderr is not None
        process.stderr.close()
