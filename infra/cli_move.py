"""`sluice migrate`: from one process on its own files to Kafka and PostgreSQL."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer
import uvloop

from infra.drain import DrainError
from infra.logs import configure
from infra.settings import WrongSetting, load
from rules.errors import Later
from storage.identity import AnotherLogError
from storage.migrate import DatabaseError
from storage.transfer import TransferError
from streams.log import LogError

From = Annotated[
    Path | None, typer.Option("--from", help="Directory of the broker's data.", show_default="./data")
]
ToLog = Annotated[str | None, typer.Option("--log", help="Where to: kafka://host:port,….")]
ToDatabase = Annotated[str | None, typer.Option("--database", help="Where to: postgresql://….")]


def migrate(data: From = None, log: ToLog = None, database: ToDatabase = None) -> None:
    """Move a stopped broker's data to an empty Kafka log and an empty PostgreSQL database."""
    os.umask(0o077)
    try:
        settings = load({"data": data, "log": log, "database": database})
        if settings.database is None:
            raise WrongSetting("Name where it goes: --log kafka://… and --database postgresql://….")
    except WrongSetting as error:
        print(f"sluice: {error}", file=sys.stderr)
        raise typer.Exit(2) from error
    configure(settings.log_format, sys.stderr, [])
    from infra.move import MoveError, move  # drivers that a broker's start does without

    try:
        moved = uvloop.run(move(settings, print))
    except (MoveError, DrainError, TransferError, LogError, DatabaseError, AnotherLogError, Later) as error:
        print(f"sluice: {error}", file=sys.stderr)
        raise typer.Exit(1) from error
    except WrongSetting as error:
        print(f"sluice: {error}", file=sys.stderr)
        raise typer.Exit(2) from error
    print(
        f"{moved.rows:,} rows were copied and compared. The log is {moved.log} from here on, in epoch "
        f"{moved.epoch}. {settings.data} is as it was, for you to keep or to remove: do not start a broker "
        f"on it again."
    )
