"""Examples of the documentation, read from its pages and sent as they stand there."""

import re
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from tests.stage.broker import Answer, Client

HOUSE = Path(__file__).resolve().parents[2]


class Curl(NamedTuple):
    """What a curl command sends: method, path with query, headers, body."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes | None


def blocks(page: str, language: str) -> list[str]:
    """Return the code blocks of a page in one language, in their order."""
    fenced = re.findall(r"^```(\w*)\n(.*?)^```$", (HOUSE / page).read_text(), re.MULTILINE | re.DOTALL)
    return [text for named, text in fenced if named == language]


def curls(page: str, words: Mapping[str, str]) -> list[Curl]:
    """Return the curl commands of a page, the `words` in them filled in."""
    found = []
    for text in blocks(page, "sh"):
        for word, meaning in words.items():
            text = text.replace(word, meaning)
        found += [
            read_curl(command) for command in re.split(r"^(?=curl )", text, flags=re.MULTILINE) if command
        ]
    return found


def read_curl(command: str) -> Curl:
    """Return what one command sends."""
    words = iter(shlex.split(command.replace("\\\n", " ")))
    assert next(words) == "curl"
    method, url, headers, body = "GET", "", {}, None
    for word in words:
        if word in ("-X", "--request"):
            method = next(words)
        elif word in ("-H", "--header"):
            name, _, value = next(words).partition(": ")
            headers[name] = value
        elif word in ("-d", "--data", "--data-raw", "--data-binary"):
            body = next(words).encode()
            method = "POST" if method == "GET" else method
        elif not word.startswith("-"):
            url = word
    return Curl(method, "/" + url.split("/", 3)[3], headers, body)


async def send(client: Client, curl: Curl) -> Answer:
    """Send what a command would, with no token but the one it carries."""
    async with client.session.request(
        curl.method, client.url + curl.path, headers=curl.headers, data=curl.body
    ) as answer:
        told: Any = await answer.json(content_type=None) if "json" in answer.content_type else None
        return Answer(answer.status, answer.headers, await answer.read(), told)
