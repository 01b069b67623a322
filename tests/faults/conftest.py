"""These tests take minutes and tools of the system: they run when they are asked for (`make faults`)."""

from pathlib import Path

import pytest


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave the tests out unless their folder, or one of them, is named."""
    here = Path(__file__).parent
    asked = any(here in (path := Path(arg.split("::")[0]).resolve(), *path.parents) for arg in config.args)
    return None if asked else True
