"""A standby that an address leads to before it is promoted, as while a server's place is taken by another."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from infra.checks import writability
from infra.dev.postgres import Postgres
from rules.errors import Later
from storage.postgres.engine import PostgresStore
from tests.stage.patience import eventually_sync
from tests.stage.postgres import run

DEADLINE = 60.0


@pytest.fixture
def standby() -> Iterator[str]:
    """The address of a server that only follows, with a table `t`."""
    root = Path(tempfile.mkdtemp(prefix="sluice-standby-"))
    root.chmod(0o755)  # its user must be able to pass
    server = Postgres(root)
    try:
        run(address := server.up().removeprefix("SLUICE_DATABASE="), "CREATE TABLE t (n bigint)")
        server.down()
        (root / "postgres" / "standby.signal").touch()
        server.up()
        yield address
    finally:
        server.down()
        shutil.rmtree(root, ignore_errors=True)


def test_a_standby_is_read_and_written_once_it_is_promoted(standby: str) -> None:
    with closing(PostgresStore(standby)) as store:

        def written() -> int:
            return store.write(lambda c: c.exec_driver_sql("INSERT INTO t VALUES (1)").rowcount).result(
                DEADLINE
            )

        with pytest.raises(Later):
            written()
        assert store.read(lambda c: c.exec_driver_sql("SELECT 1").scalar_one()).result(DEADLINE) == 1
        [found] = store.read(writability).result(DEADLINE)
        assert "it is a standby" in found
        run(standby, "SELECT pg_promote()")
        assert eventually_sync(written, DEADLINE) == 1
        assert store.read(writability).result(DEADLINE) == []
