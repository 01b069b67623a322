"""The documents say what the code does."""

import re
from pathlib import Path

from tests.house import reference

ROOT = Path(__file__).parents[2]


def test_the_reference_is_what_the_code_says() -> None:
    assert reference.FILE.read_text() == reference.text(), "run `make reference`"


def test_every_dependency_has_a_line_in_the_decisions() -> None:
    said = (ROOT / "infra" / "decisions.md").read_text().split("## Dependencies")[1]
    declared = re.findall(r'^    "([A-Za-z0-9_-]+)[>=;]', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    demo = re.findall(r'^demo = \["([A-Za-z0-9_-]+)', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    assert len(declared) > 15
    assert [name for name in declared + demo if not re.search(rf"\b{name}\b", said)] == []


def test_every_make_target_the_readme_names_exists() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"make ([a-z]+)", (ROOT / "README.md").read_text()))
    assert named <= targets


def test_every_file_the_readme_names_exists() -> None:
    named = re.findall(
        r"`((?:api|streams|storage|rules|infra|tests)/[a-z_./]+)`", (ROOT / "README.md").read_text()
    )
    assert len(named) > 10
    assert [name for name in named if not (ROOT / name).exists() and not (ROOT / f"{name}.py").exists()] == []
