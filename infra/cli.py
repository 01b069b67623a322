"""The command line: `sluice serve`, `api` and `work`, and what is done once: `check`, `migrate`, `token` …"""

import asyncio
import gc
import json
import os
import sys
from pathlib import Path
from typing import Annotated, Any, Final

import typer
import uvloop
from rich.console import Console
from rich.table import Table

from infra.banner import banner, warn_if_open
from infra.checks import problems_with
from infra.cli_dev import dev
from infra.cli_move import migrate
from infra.lifecycle import Lifecycle, StopAsked
from infra.logs import configure
from infra.role import API, SERVE, WORK, Role, check_role
from infra.settings import Settings, WrongSetting, load
from infra.tokens import administrators, make_token
from infra.wiring import start
from rules.errors import Later
from storage.identity import AnotherLogError
from storage.migrate import DatabaseError
from streams.log import LogError

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Sluice: durable writes in; rows, events and alerts out. Every setting is an environment variable "
    "SLUICE_…; 'sluice settings' lists them.",
)

app.add_typer(dev, name="infra")
app.command()(migrate)

GC_ALLOCATIONS: Final = 50_000

Host = Annotated[str | None, typer.Option(help="Address to listen on.", show_default="127.0.0.1")]
Port = Annotated[int | None, typer.Option(help="Port to listen on; 0 takes a free one.", show_default="8080")]
Data = Annotated[
    Path | None, typer.Option(help="Directory of log, database and token.", show_default="./data")
]


@app.command()
def serve(host: Host = None, port: Port = None, data: Data = None) -> None:
    """Run the whole broker in one process."""
    _run(SERVE, host, port, data)


@app.command()
def api(host: Host = None, port: Port = None, data: Data = None) -> None:
    """Run what takes requests, beside others of its kind: on Kafka and PostgreSQL."""
    _run(API, host, port, data)


@app.command()
def work(host: Host = None, port: Port = None, data: Data = None) -> None:
    """Run what stores, judges, delivers and loads, beside others of its kind: on Kafka and PostgreSQL."""
    _run(WORK, host, port, data)


def _run(role: Role, host: str | None, port: int | None, data: Path | None) -> None:
    # the database holds what signs webhooks, and records that are nobody else's business
    os.umask(0o077)
    settings = _settings(role, host=host, port=port, data=data)
    secrets = [s.get_secret_value() for s in (settings.admin_token, settings.kafka_password) if s is not None]
    configure(settings.log_format, sys.stderr, secrets)
    raise typer.Exit(uvloop.run(_serve(settings, role)))


async def _serve(settings: Settings, role: Role) -> int:
    lifecycle = Lifecycle(settings.stop_deadline / 1e9)
    with lifecycle.signals():
        status = await _until_stopped(settings, lifecycle, role)
        await lifecycle.leave_nothing(status)
    return status


async def _until_stopped(settings: Settings, lifecycle: Lifecycle, role: Role) -> int:
    try:
        running = await lifecycle.start("the broker", start(settings, lifecycle, role=role))
    except StopAsked:
        return lifecycle.exit_status
    except (WrongSetting, LogError, AnotherLogError, Later, DatabaseError) as error:
        print(f"sluice: {error}", file=sys.stderr)
        return 2 if isinstance(error, WrongSetting) else 1
    _settle_memory()
    warn_if_open(settings)
    print(banner(running, settings, role), flush=True)
    await lifecycle.until_asked()
    try:
        await lifecycle.stop()
    except ExceptionGroup:
        return 1
    return lifecycle.exit_status


def _settle_memory() -> None:
    """Let the garbage collector leave alone what lives as long as the process, and look less often.

    Batches are thousands of dicts that reference counting frees; looking through them for cycles each 700
    allocations took a fifth of the loaded loop.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(GC_ALLOCATIONS, 20, 50)


@app.command()
def check(
    data: Data = None,
    adopt: Annotated[
        str | None, typer.Option(help="Let the database go on with the log of this identity, from its start.")
    ] = None,
) -> None:
    """Look at settings, log and database, and say what is wrong and what to do."""
    settings = _settings(data=data)
    found = asyncio.run(problems_with(settings, adopt))
    for line in found:
        print(line)
    print("Nothing is wrong." if not found else f"{len(found)} to mend.")
    raise typer.Exit(1 if found else 0)


@app.command(name="settings")
def list_settings(as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False) -> None:
    """List every setting with its value, where that came from, and what it does."""
    knobs = _settings().describe()
    if as_json:
        print(json.dumps([knob._asdict() for knob in knobs], indent=2))
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("setting", "value", "from", "what it does"):
        table.add_column(heading, no_wrap=heading != "what it does")
    for knob in knobs:
        table.add_row(*knob)
    Console(width=None if sys.stdout.isatty() else 160).print(table)


@app.command()
def token(
    workspace: Annotated[str, typer.Argument(help="The workspace it is for.")],
    scope: Annotated[list[str], typer.Option(help="read, write, rules or admin; may be repeated.")],
    dataset: Annotated[str | None, typer.Option(help="Only for this dataset.")] = None,
    title: Annotated[str, typer.Option(help="What it is for.")] = "",
    url: Annotated[
        str | None, typer.Option(help="The broker's address.", show_default="from settings")
    ] = None,
    data: Data = None,
) -> None:
    """Make a token at a running broker and print it, this once."""
    settings = _settings(data=data)
    body: dict[str, Any] = {"workspace": workspace, "scopes": scope, "title": title}
    if dataset is not None:
        body["dataset"] = dataset
    try:
        print(asyncio.run(make_token(settings, url, body)))
    except (ConnectionError, WrongSetting) as error:
        print(f"sluice: {error}", file=sys.stderr)
        raise typer.Exit(1) from error


@app.command()
def demo(
    rows: Annotated[int, typer.Option(min=100, help="How many records to replay at most.")] = 20_000,
    url: Annotated[
        str | None, typer.Option(help="A broker that runs, and may send webhooks to loopback.")
    ] = None,
    data: Data = None,
) -> None:
    """Replay a real public data set, with two rules and a webhook receiver: to its own broker, or --url."""
    from infra.demo import run_demo
    from infra.demo_broker import DemoBroker

    try:
        running = None if url is None else DemoBroker(url.rstrip("/"), administrators(_settings(data=data)))
    except (ConnectionError, WrongSetting) as error:
        print(f"sluice: {error}", file=sys.stderr)
        raise typer.Exit(1) from error
    raise typer.Exit(asyncio.run(run_demo(rows, running)))


def _settings(role: Role = SERVE, **flags: object) -> Settings:
    try:
        settings = load(flags)
        check_role(role, settings)
        return settings
    except WrongSetting as error:
        print(f"sluice: {error}", file=sys.stderr)
        raise typer.Exit(2) from error


def main() -> None:
    """Run the command line."""
    app()


if __name__ == "__main__":
    main()
