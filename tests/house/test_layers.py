"""The laws of the house: who may import whom, where a library lives, and how large a file may be."""

import ast
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

HOUSE = Path(__file__).resolve().parents[2]
LAYERS = ("rules", "storage", "streams", "api", "infra")
SOURCES = sorted(path for layer in LAYERS for path in (HOUSE / layer).rglob("*.py"))

# What rules may use from outside: values, codecs and matchers, nothing that acts or knows the time.
PURE = {"jsonschema", "jsonschema_rs", "msgspec", "re2", "referencing", "whenever"}
IMPURE = {
    *("os", "sys", "io", "pathlib", "shutil", "tempfile", "glob", "mmap", "sqlite3", "shelve", "platform"),
    *("socket", "ssl", "http", "urllib.request", "smtplib", "ftplib", "select", "selectors", "subprocess"),
    *("asyncio", "threading", "multiprocessing", "concurrent", "queue", "sched", "signal", "contextvars"),
    *("time", "random", "secrets", "uuid", "logging", "warnings", "ctypes"),
}
HOMES = {
    "faust": (
        *("streams/embedded/transport.py", "streams/kafka/", "streams/agents/worker.py"),
        "streams/agents/intake.py",
    ),
    "mode": ("streams/embedded/transport.py", "streams/kafka/", "streams/agents/worker.py"),
    "aiokafka": ("streams/kafka/", "infra/dev/"),
    "prometheus_client": ("infra/metrics.py",),
    "pydantic_settings": ("infra/settings.py", "infra/knob"),
    "pythonjsonlogger": ("infra/logs.py",),
    "re2": ("rules/condition/",),
    "jsonschema_rs": ("rules/schema/",),
    "aiohttp": ("streams/delivery/", "infra/demo", "infra/tokens.py"),
    "typer": ("infra/cli",),
    "psycopg": ("storage/postgres/", "infra/dev/postgres.py"),
}


def named(path: Path) -> str:
    return path.relative_to(HOUSE).as_posix()


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def imports(path: Path) -> Iterator[str]:
    """Yield the dotted name of every module the file imports, at whatever depth in it."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield "." * node.level + (node.module or "")


def breaches(layers: tuple[str, ...], sources: list[Path], root: Path) -> list[str]:
    """Return each import that goes up, as `file imports module`; the lowest layer comes first."""
    rank = {layer: number for number, layer in enumerate(layers)}
    return [
        f"{path.relative_to(root).as_posix()} imports {module}"
        for path in sources
        for module in imports(path)
        if rank.get(module.split(".")[0], -1) > rank[path.relative_to(root).parts[0]]
    ]


def test_there_are_sources_in_every_layer() -> None:
    assert {path.relative_to(HOUSE).parts[0] for path in SOURCES} == set(LAYERS)


def test_imports_go_down_only_so_nobody_imports_infra() -> None:
    assert breaches(LAYERS, SOURCES, HOUSE) == []


def test_an_import_that_goes_up_would_be_found(tmp_path: Path) -> None:
    (tmp_path / "rules").mkdir()
    wrong = tmp_path / "rules" / "fold.py"
    wrong.write_text("def f() -> None:\n    from storage.rows import Row\n")
    assert breaches(LAYERS, [wrong], tmp_path) == ["rules/fold.py imports storage.rows"]


def test_no_source_imports_tests_or_by_a_relative_name() -> None:
    found = [(named(p), m) for p in SOURCES for m in imports(p) if m.startswith((".", "tests"))]
    assert found == []


def test_rules_import_nothing_that_acts_or_knows_the_time() -> None:
    allowed = sys.stdlib_module_names | PURE | {"rules"}
    found = [
        (named(path), module)
        for path in SOURCES
        if named(path).startswith("rules/")
        for module in imports(path)
        if module.split(".")[0] not in allowed or {module, module.split(".")[0]} & IMPURE
    ]
    assert found == []


def test_rules_ask_no_clock() -> None:
    found = [
        f"{named(path)}:{node.lineno}"
        for path in SOURCES
        if named(path).startswith("rules/")
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in {"now", "utcnow", "today"}
    ]
    assert found == []


@pytest.mark.parametrize(("library", "homes"), HOMES.items())
def test_a_library_is_named_only_where_it_lives(library: str, homes: tuple[str, ...]) -> None:
    found = [
        named(path)
        for path in SOURCES
        if not named(path).startswith(homes)
        if any(module.split(".")[0] == library for module in imports(path))
    ]
    assert found == []


def test_no_source_file_has_more_than_300_lines() -> None:
    lengths = {named(path): len(path.read_text().splitlines()) for path in SOURCES}
    assert {name: length for name, length in lengths.items() if length > 300} == {}


def test_an_init_file_of_a_package_holds_one_docstring_and_nothing_else() -> None:
    inits = [path for path in SOURCES if path.name == "__init__.py"]
    assert [named(p) for p in inits if ast.get_docstring(tree(p)) is None or len(tree(p).body) != 1] == []


def test_no_module_is_named_for_being_left_over() -> None:
    left_over = {"utils", "util", "common", "helpers", "helper", "core", "misc"}
    assert [named(path) for path in SOURCES if left_over & {*path.parent.parts, path.stem}] == []


def test_every_folder_of_tests_is_a_package() -> None:
    folders = {path.parent for path in (HOUSE / "tests").rglob("*.py")}
    assert sorted(named(folder) for folder in folders if not (folder / "__init__.py").exists()) == []
