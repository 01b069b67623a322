"""PostgreSQL for development: one that was killed comes back over its data, at its address."""

import os
import signal
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from infra.dev.engines import bring_down, bring_up
from infra.dev.postgres import Postgres
from infra.dev.processes import EngineError
from tests.stage.postgres import need_server


@pytest.fixture
def data() -> Iterator[Path]:
    need_server()  # skips where none is wanted
    with tempfile.TemporaryDirectory(prefix="sluice-infra-") as directory:
        path = Path(directory)
        path.chmod(0o755)  # its user must be able to pass
        yield path
        bring_down(path, ["postgres"])


def test_it_serves_is_killed_and_comes_back_with_its_data(data: Path) -> None:
    lines: list[str] = []
    bring_up(data, ["postgres"], lines.append)
    bring_up(data, ["postgres"], lines.append)
    assert lines[0] == lines[1] == (data / "infra.env").read_text().strip()
    url = lines[0].removeprefix("SLUICE_DATABASE=")
    with closing(psycopg.connect(url, autocommit=True)) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 7 AS n")
    os.kill(int((data / "postgres.pid").read_text()), signal.SIGKILL)
    bring_up(data, ["postgres"], lines.append)
    assert lines[2] == lines[0]
    with closing(psycopg.connect(url)) as connection:
        assert connection.execute("SELECT n FROM kept").fetchone() == (7,)
    bring_down(data, ["postgres"])
    assert not (data / "postgres.pid").exists()
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(url, connect_timeout=2)


def test_what_others_may_not_read_they_can_not(data: Path) -> None:
    bring_up(data, ["postgres"], lambda _: None)
    for name in ("infra.env", "postgres.password"):
        assert (data / name).stat().st_mode & 0o077 == 0


def test_what_the_machine_lacks_is_said_with_the_command_that_installs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("infra.dev.postgres._PLACES", ())
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "install postgresql" in (Postgres(tmp_path).missing() or "")
    with pytest.raises(EngineError, match="install postgresql"):
        bring_up(tmp_path / "data", ["postgres"], print)
    assert not (tmp_path / "data").exists()


def test_a_server_that_there_is_not_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="'redis'"):
        bring_up(tmp_path, ["redis"], print)


def test_the_lines_of_other_servers_stay_in_the_file(data: Path) -> None:
    (data / "infra.env").write_text("SLUICE_LOG=kafka://127.0.0.1:1\nSLUICE_DATABASE=postgresql://old\n")
    lines: list[str] = []
    bring_up(data, ["postgres"], lines.append)
    assert (data / "infra.env").read_text() == f"SLUICE_LOG=kafka://127.0.0.1:1\n{lines[0]}\n"
