"""What is missing for the development Kafka is said with the command that installs it."""

import os
import stat
from pathlib import Path

import pytest

from infra.dev import jvm


def a_java(directory: Path, version: str) -> None:
    """Put a `java` on the path that says it is of this version."""
    java = directory / "java"
    java.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\" 2026-01-01' >&2\n")
    java.chmod(java.stat().st_mode | stat.S_IEXEC)


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty directory that is all of the path but for the shell."""
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}/nowhere")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path


def test_without_java_the_command_that_installs_it_is_named(path: Path) -> None:
    assert "apt-get install openjdk-17" in (jvm.missing() or "")


def test_an_older_java_is_named_by_its_version(path: Path) -> None:
    a_java(path, "11.0.2")
    assert "the Java installed is 11" in (jvm.missing() or "")


def test_maven_is_missing_only_while_the_jars_are(path: Path) -> None:
    a_java(path, "21.0.1")
    assert "apt-get install maven" in (jvm.missing() or "")
    jvm.jars().mkdir(parents=True)
    assert jvm.missing() is None


def test_jars_that_can_not_be_fetched_are_an_error_and_leave_nothing_behind(path: Path) -> None:
    with pytest.raises(jvm.EngineError, match="Maven could not fetch Kafka"):
        jvm.fetch()
    assert list(jvm.jars().parent.iterdir()) == []


def test_other_versions_in_the_pom_are_another_directory(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = jvm.jars()
    other = path / "pom.xml"
    other.write_text(jvm.POM.read_text().replace("4.1.0", "4.1.1"))
    monkeypatch.setattr(jvm, "POM", other)
    assert jvm.jars() != before
