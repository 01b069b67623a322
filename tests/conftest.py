"""What was left out is said once at the end, however many tests it was."""

import pytest

from tests.stage.postgres import SKIPPED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    skipped = terminalreporter.stats.get("skipped", ())
    left_out = sum(1 for report in skipped if SKIPPED in str(report.longrepr))
    if left_out:
        terminalreporter.write_line(f"{left_out} tests left out. {SKIPPED}.")
