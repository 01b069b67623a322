"""A broker for clients that have a process or threads of their own, and what became of their points."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from tests.stage.patience import eventually_sync
from tests.stage.process import Broker
from tests.stage.stored import stored

TOKEN: Final = "the-token-of-the-clients"
READY_WITHIN: Final = 90.0
"""Seconds: the first start on a fresh checkout compiles everything, perhaps beside others that do."""
BATCH: Final = 300
BATCHES: Final = 3
QUOTA: Final = {"quota_records": "60"}
"""Settings of a broker that says 429 to the second batch for three seconds, and for longer to the third."""


@contextmanager
def broker(**settings: str) -> Iterator[Broker]:
    """Run a broker whose administrator has `TOKEN`; `settings` are `SLUICE_…` in lower case."""
    env = {f"SLUICE_{name.upper()}": value for name, value in settings.items()}
    env = {"SLUICE_ADMIN_TOKEN": TOKEN, "SLUICE_FREE_DISK": "1MB", **env}
    with Broker(env, ready_within=READY_WITHIN) as running:
        yield running


def values(running: Broker, workspace: str, dataset: str, field: str = "v") -> list[Any]:
    """Return one field of the points that are stored, sorted."""
    return sorted(record[field] for record in stored(running.data, workspace, dataset))


def until_stored(running: Broker, workspace: str, dataset: str, wanted: list[Any], field: str = "v") -> None:
    """Return once a field of the points that are stored has these values, each once."""

    def there() -> None:
        assert values(running, workspace, dataset, field) == sorted(wanted)

    eventually_sync(there, 30)
