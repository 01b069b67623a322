"""`python -m tests.fuzz TARGET [libFuzzer's options]`: feed a target what coverage suggests, until it breaks.

It needs atheris, which is no dependency of the project: give it an environment of its own and lend it the
project's packages.

    python3 -m venv /tmp/fuzz && /tmp/fuzz/bin/pip install atheris
    PYTHONPATH=$(.venv/bin/python -c 'import site; print(site.getsitepackages()[0])') \\
        /tmp/fuzz/bin/python -m tests.fuzz json_door -max_total_time=600

What broke a target is written to a file `crash-…`, and is run again by naming that file. Keep a finding as an
ordinary test beside the part it breaks; `tests/fuzz/test_targets.py` runs the targets in small, in every run
of the tests.
"""

import sys
import tempfile
from importlib import import_module
from pathlib import Path

import atheris

TARGETS = ("json_door", "condition", "log_reader", "line_protocol", "load_bodies")


def main() -> None:
    """Fuzz the target that is named, starting from its seeds."""
    if len(sys.argv) < 2 or sys.argv[1] not in TARGETS:
        sys.exit(f"Name a target: {', '.join(TARGETS)}.")
    with atheris.instrument_imports(include=["api", "rules", "streams"]):
        module = import_module(f"tests.fuzz.{sys.argv[1]}")
    given = sys.argv[2:]
    if all(option.startswith("-") for option in given):
        corpus = Path(tempfile.mkdtemp(prefix=f"fuzz-{sys.argv[1]}-"))
        for number, seed in enumerate(module.SEEDS):
            (corpus / f"seed-{number}").write_bytes(seed)
        given.append(str(corpus))
    atheris.Setup([sys.argv[0], *given], module.target)
    atheris.Fuzz()


main()
