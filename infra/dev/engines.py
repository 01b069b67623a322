"""Which servers for development there are, and the file that says where they serve."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Final

from infra.dev.engine import Engine
from infra.dev.kafka import Kafka
from infra.dev.postgres import Postgres
from infra.dev.processes import EngineError

ENGINES: Final[dict[str, Callable[[Path], Engine]]] = {"kafka": Kafka, "postgres": Postgres}
ENV_FILE: Final = "infra.env"


def bring_up(data: Path, names: Sequence[str], say: Callable[[str], None]) -> None:
    """Start the servers named (none: all), wait until they serve, and write their lines to `infra.env`.

    Raises: EngineError, with a sentence for each that this machine can't run; then none is started.
    """
    engines = _chosen(data, names)
    lacks = [lack for engine in engines if (lack := engine.missing()) is not None]
    if lacks:
        raise EngineError("\n".join(lacks))
    for engine in engines:
        line = engine.up()
        _remember(data / ENV_FILE, line)
        say(line)


def bring_down(data: Path, names: Sequence[str]) -> None:
    """Stop the servers named (none: all).

    Raises: EngineError.
    """
    for engine in reversed(_chosen(data, names)):
        engine.down()


def _chosen(data: Path, names: Sequence[str]) -> list[Engine]:
    unknown = [name for name in names if name not in ENGINES]
    if unknown:
        raise EngineError(f"There is no server {unknown[0]!r}; there are {_listed(ENGINES)}.")
    return [make(data) for name, make in ENGINES.items() if not names or name in names]


def _listed(names: Iterable[str]) -> str:
    return " and ".join(names)


def _remember(path: Path, line: str) -> None:
    """Put a line `NAME=value` into the file, in the place of the one that had this name."""
    name = line.partition("=")[0]
    before = path.read_text().splitlines() if path.exists() else []
    kept = [one for one in before if one.partition("=")[0] != name]
    fresh = path.with_suffix(".env.new")
    fresh.touch(0o600)
    fresh.write_text("\n".join([*kept, line]) + "\n")
    fresh.replace(path)
