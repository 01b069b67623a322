"""These tests take minutes and tools of the system: they run when they are asked for (`make faults`)."""

from pathlib import Path

import pytest


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    asked = any("faults" in Path(arg).parts for arg in config.args)
    return None if asked or "faults" in config.invocation_params.dir.parts[-1:] else True
