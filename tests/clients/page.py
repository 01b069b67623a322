"""The documentation page about InfluxDB's clients: its examples, as they stand there."""

import re
from pathlib import Path
from typing import Final

PAGE: Final = Path(__file__).parents[2] / "api" / "influx" / "README.md"


def examples(language: str) -> list[str]:
    """Return the page's blocks of a language, in order."""
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
