"""What was left out is said once at the end; examples take as long as a busy machine needs for them."""

import pytest
from hypothesis import settings

from tests.stage.postgres import SKIPPED

settings.register_profile("sluice", deadline=None)
settings.load_profile("sluice")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    skipped = terminalreporter.stats.get("skipped", ())
    left_out = sum(1 for report in skipped if SKIPPED in str(report.longrepr))
    if left_out:
        terminalreporter.write_line(f"{left_out} tests left out. {SKIPPED}.")
