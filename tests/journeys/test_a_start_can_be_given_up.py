"""A broker that is asked to stop in the middle of its start goes, however far it has come."""

import signal
from contextlib import closing

import pytest

from tests.stage.patience import eventually_sync
from tests.stage.process import Broker


@pytest.mark.parametrize("come", ["log", "sluice.db", "faust"])
def test_a_broker_that_is_stopped_while_it_starts_is_gone_within_its_deadline(come: str) -> None:
    with closing(Broker()) as broker:
        broker.start(wait=False)
        eventually_sync(lambda: (broker.data / come).exists(), 20.0)
        broker.send(signal.SIGINT)
        assert broker.wait(30.0) == 0, broker.logs
        broker.start()  # and what it left behind is no hindrance
