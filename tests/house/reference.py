"""Writes infra/reference.md from the code: `python -m tests.house.reference` (or `make reference`)."""

import re
import sys
from pathlib import Path
from typing import Any

from fastapi.routing import APIRoute
from typer.main import get_command

from api import app as api_app
from api import health
from api.influx.write import DOORS as LINES
from infra.cli import app as cli
from infra.metrics import COUNTERS, GAUGES, TIMINGS
from infra.settings import Settings
from rules.errors import CATALOGUE
from rules.signals import METRIC_PREFIX

FILE = Path(__file__).parents[2] / "infra" / "reference.md"


def text() -> str:
    """Return what infra/reference.md must say."""
    parts = [
        "# Reference",
        "",
        "Made from the code by `make reference`; a test keeps it so.",
        "",
        *_settings(),
        *_commands(),
        *_routes(),
        *_errors(),
        *_metrics(),
    ]
    return "\n".join(parts) + "\n"


def _settings() -> list[str]:
    rows = [
        f"| `SLUICE_{name.upper()}` | {_default(field.default)} | {field.description} |"
        for name, field in sorted(Settings.model_fields.items())
        if field.description
    ]
    return ["## Settings", "", "| variable | unless set | meaning |", "|---|---|---|", *rows, ""]


def _default(value: object) -> str:
    if value is None or value == "":
        return "none"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _commands() -> list[str]:
    rows = [f"| `{name}` | {said} |" for name, said in commands(get_command(cli), "sluice")]
    return ["## Commands", "", "| command | what it does |", "|---|---|", *rows, ""]


def commands(group: Any, path: str) -> list[tuple[str, str]]:
    """Return every command, those of its groups too, with the first line of what it does."""
    found = []
    for name, command in sorted(group.commands.items()):
        if hasattr(command, "commands"):
            found += commands(command, f"{path} {name}")
        else:
            found.append((f"{path} {name}", (command.help or "").splitlines()[0]))
    return found


def routes() -> list[tuple[str, str, str]]:
    """Return (method, path, first line of what it does) of every route, the lane's too."""
    found = [
        ("POST", f"{head}/{{workspace}}/{{dataset}}", (type(door).__doc__ or "").splitlines()[0])
        for head, door in api_app.DOORS.items()
    ]
    found += [("POST", path, (door.__doc__ or "").splitlines()[0]) for path, door in LINES.items()]
    for router in (health.router, *(module.router for module in api_app.ROUTERS)):
        for route in router.routes:
            assert isinstance(route, APIRoute)
            said = (route.endpoint.__doc__ or "").strip().splitlines()[0]
            found += [(method, route.path, said) for method in sorted(route.methods)]
    return sorted(found, key=lambda one: (one[1], one[0]))


def _routes() -> list[str]:
    rows = [f"| {method} | `{path}` | {said} |" for method, path, said in routes()]
    return ["## Routes", "", "| method | path | what it does |", "|---|---|---|", *rows, ""]


def _errors() -> list[str]:
    rows = [
        f"| `{c.name}` | {c.status} | {'yes' if c.retriable else 'no'} | {c.sentence} |"
        for c in sorted(CATALOGUE.values(), key=lambda c: (c.status, c.name))
    ]
    return [
        "## Error codes",
        "",
        "| code | status | retriable | what happened |",
        "|---|---|---|---|",
        *rows,
        "",
    ]


def _metrics() -> list[str]:
    rows = [
        f"| `{METRIC_PREFIX}{name}` | {kind} | {', '.join(described.labels) or '–'} | {described.help} |"
        for kind, table in (("counter", COUNTERS), ("gauge", GAUGES), ("histogram", TIMINGS))
        for name, described in sorted(table.items())
    ]
    return ["## Metrics", "", "| metric | kind | labels | what it counts |", "|---|---|---|---|", *rows]


def undocumented(names: list[str]) -> list[str]:
    """Return those of the names that the file does not mention."""
    said = FILE.read_text()
    return [name for name in names if not re.search(rf"`{re.escape(name)}`", said)]


if __name__ == "__main__":
    FILE.write_text(text())
    sys.stdout.write(f"{FILE.name} is written.\n")
