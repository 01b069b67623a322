"""Java for the development Kafka: what is missing, the jars (fetched once), how to run a class."""

import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Final

from infra.dev.processes import EngineError

POM: Final = Path(__file__).with_name("pom.xml")
JAVA: Final = 17
FETCH_SECONDS: Final = 600
_QUICK: Final = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Dorg.slf4j.simpleLogger.showDateTime=true")


def missing() -> str | None:
    """Return what has to be installed first, with the command that does; None where all is there."""
    found = java_version()
    if found is None or found < JAVA:
        what = "Java is not installed" if found is None else f"the Java installed is {found}"
        return (
            f"Kafka needs Java {JAVA} or newer, and {what}: apt-get install openjdk-{JAVA}-jre-headless "
            f"(brew install openjdk@{JAVA} on macOS)."
        )
    if not jars().exists() and shutil.which("mvn") is None:
        return "Maven fetches Kafka once and is not installed: apt-get install maven (brew install maven)."
    return None


def java_version() -> int | None:
    """Return the major version of the Java on the path."""
    java = shutil.which("java")
    if java is None:
        return None
    said = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr
    found = re.search(r'version "(\d+)', said)
    return int(found.group(1)) if found else None


def jars() -> Path:
    """Return the directory of the jars; its name changes with the versions in the pom."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "sluice" / f"kafka-{hashlib.sha256(POM.read_bytes()).hexdigest()[:12]}"


def fetch() -> Path:
    """Return the directory of the jars, filled by Maven where it is not there yet.

    Raises: EngineError.
    """
    target = jars()
    if target.exists():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(dir=target.parent, prefix="fetching-"))
    try:
        command = [
            "mvn",
            "-q",
            "-B",
            "-f",
            str(POM),
            "dependency:copy-dependencies",
            "-DincludeScope=runtime",
        ]
        run = subprocess.run(
            [*command, f"-DoutputDirectory={made}"],
            capture_output=True,
            text=True,
            timeout=FETCH_SECONDS,
            check=False,
        )
        if run.returncode != 0:
            raise EngineError(f"Maven could not fetch Kafka: {(run.stdout + run.stderr)[-2000:]}")
        # whoever was first has filled it; the jars are the same
        if not target.exists():
            made.rename(target)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise EngineError(f"Maven could not fetch Kafka: {error}") from error
    finally:
        shutil.rmtree(made, ignore_errors=True)
    return target


def command(main: str, *arguments: str, heap: str = "512m") -> list[str]:
    """Return the command that runs a class of the jars. Raises: EngineError."""
    return ["java", f"-Xmx{heap}", *_QUICK, "-cp", f"{fetch()}/*", main, *arguments]
