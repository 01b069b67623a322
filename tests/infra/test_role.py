"""Which commands run on which log and database: what can't work exits 2 with a sentence."""

from collections.abc import Iterator

import pytest
from typer.testing import CliRunner

from infra.cli import app
from infra.role import API, SERVE, WORK, Role, check_role
from infra.settings import WrongSetting, load

KAFKA, POSTGRES = "kafka://127.0.0.1:9092", "postgresql://u:p@127.0.0.1/sluice"


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("SLUICE_LOG", "SLUICE_DATABASE"):
        monkeypatch.delenv(name, raising=False)
    yield


@pytest.mark.parametrize("command", ["api", "work"])
def test_a_half_of_the_broker_on_the_embedded_pair_exits_2_and_says_what_to_set(command: str) -> None:
    ended = CliRunner().invoke(app, [command])
    assert ended.exit_code == 2
    (sentence,) = ended.stderr.splitlines()
    assert f"'sluice {command}'" in sentence
    assert "SLUICE_LOG" in sentence and "SLUICE_DATABASE" in sentence and "'sluice serve'" in sentence


@pytest.mark.parametrize("command", ["serve", "api", "work"])
@pytest.mark.parametrize(
    "pair", [{"SLUICE_LOG": KAFKA}, {"SLUICE_DATABASE": POSTGRES}], ids=["kafka alone", "postgresql alone"]
)
def test_mixed_pairs_of_log_and_database_exit_2_with_a_sentence(command: str, pair: dict[str, str]) -> None:
    ended = CliRunner().invoke(app, [command], env=pair)
    assert ended.exit_code == 2
    (sentence,) = ended.stderr.splitlines()
    assert "SLUICE_LOG" in sentence and "SLUICE_DATABASE" in sentence


@pytest.mark.parametrize("role", [SERVE, API, WORK], ids=lambda role: role.name)
def test_every_role_runs_on_kafka_and_postgresql(role: Role) -> None:
    check_role(role, load({"log": KAFKA, "database": POSTGRES}))


def test_the_whole_broker_runs_on_the_embedded_pair_and_no_half_of_it_does() -> None:
    check_role(SERVE, load())
    for role in (API, WORK):
        with pytest.raises(WrongSetting, match="shares its log"):
            check_role(role, load())
