"""What the bench runs on: names, cores, how busy it is, and what one fdatasync costs here."""

import os
import platform
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Final

from infra.demo_report import percentile

SYNCS: Final = 200
BLOCK: Final = 4096


@dataclass(frozen=True, slots=True)
class Machine:
    """The machine at the start of a run; `sync_*` in milliseconds, `load` is the 1-minute average."""

    name: str
    cpu: str
    cores: int
    load: float
    python: str
    sync_p50: float
    sync_p99: float
    directory: str


def look() -> Machine:
    """Look at the machine; takes a second at the most on a disk of 5 ms a sync."""
    directory = tempfile.gettempdir()
    syncs = fdatasyncs(Path(directory))
    return Machine(
        name=platform.node(),
        cpu=_cpu(),
        cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        load=os.getloadavg()[0],
        python=f"{platform.python_implementation()} {sys.version.split()[0]}",
        sync_p50=percentile(syncs, 0.5) * 1e3,
        sync_p99=percentile(syncs, 0.99) * 1e3,
        directory=directory,
    )


def fdatasyncs(directory: Path) -> list[float]:
    """Return the seconds of each of 200 appends of 4 KB, made durable one by one."""
    took = []
    with tempfile.NamedTemporaryFile(dir=directory) as file:
        for _ in range(SYNCS):
            begin = perf_counter()
            file.write(b"x" * BLOCK)
            file.flush()
            os.fdatasync(file.fileno())
            took.append(perf_counter() - begin)
    return took


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
