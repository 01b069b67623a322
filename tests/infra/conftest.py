"""A clean environment for every test of this folder: no `SLUICE_…` of whoever runs it."""

import os

import pytest


@pytest.fixture(autouse=True)
def no_settings_of_others(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.upper().startswith("SLUICE_")]:
        monkeypatch.delenv(name)
