"""`sluice infra up` and `down`: Kafka and PostgreSQL for development, on this machine."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from infra.dev.processes import EngineError

dev = typer.Typer(no_args_is_help=True, help="Bring servers for development up and down on this machine.")

Names = Annotated[list[str] | None, typer.Argument(help="kafka or postgres; all unless named.")]
Data = Annotated[
    Path, typer.Option(envvar="SLUICE_DATA", help="Directory of their data, their logs and infra.env.")
]


@dev.command()
def up(engines: Names = None, data: Data = Path("data")) -> None:
    """Start servers, wait until they serve, and say where: printed, and kept in infra.env."""
    from infra.dev.engines import ENV_FILE, bring_up  # drivers that a broker's start does without

    try:
        bring_up(data, engines or [], print)
    except (EngineError, OSError) as error:
        _give_up(error)
    print(f"# to use them: set -a; . {data / ENV_FILE}; set +a; sluice serve", file=sys.stderr)


@dev.command()
def down(engines: Names = None, data: Data = Path("data")) -> None:
    """Stop servers; their data stays."""
    from infra.dev.engines import bring_down  # drivers that a broker's start does without

    try:
        bring_down(data, engines or [])
    except (EngineError, OSError) as error:
        _give_up(error)


def _give_up(error: Exception) -> None:
    for line in str(error).splitlines():
        print(f"sluice: {line}", file=sys.stderr)
    raise typer.Exit(1) from error
