"""A database that its operator has made read-only is named by `sluice check`."""

from pathlib import Path
from urllib.parse import urlsplit

from infra.checks import problems_with
from infra.settings import load
from tests.engines.quartet import process
from tests.stage.postgres import named, run

READ_ONLY = "default_transaction_read_only"


async def test_a_read_only_database_is_named_until_it_is_writable(pair: dict[str, str], data: Path) -> None:
    with process("api", pair):  # makes topics and tables
        pass
    settings = load({"data": data, "free_disk": "1MB"}).model_copy(
        update={"log": pair["SLUICE_LOG"], "database": pair["SLUICE_DATABASE"]}
    )
    name = urlsplit(pair["SLUICE_DATABASE"]).path[1:]
    elsewhere = named(pair["SLUICE_DATABASE"], "postgres")
    assert not [line for line in await problems_with(settings) if line.startswith("database:")]
    run(elsewhere, f"ALTER DATABASE {name} SET {READ_ONLY} = on")
    try:
        [found] = [line for line in await problems_with(settings) if line.startswith("database:")]
        assert f"{READ_ONLY} is on" in found
    finally:
        run(elsewhere, f"ALTER DATABASE {name} RESET {READ_ONLY}")
    assert not [line for line in await problems_with(settings) if line.startswith("database:")]
