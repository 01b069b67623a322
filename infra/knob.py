"""What a setting may be: the values that people write, how they are read, and how they are shown again."""

import re
from collections.abc import Iterable
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import BeforeValidator, Field, SecretStr, StringConstraints
from pydantic.fields import FieldInfo
from pydantic_settings import NoDecode

from infra.units import Unit

Source = Literal["default", "environment", "flag"]

_PASSWORD = re.compile(r"(://[^/@\s:?]*:)[^@]*@(?:[^/?]*@)?")
_SHOWN = {"application_name", "connect_timeout", "host", "port", "sslmode", "target_session_attrs"}
"""What an address may say in its query that is no secret; drivers know many words for those that are."""

_ORIGIN = re.compile(r"\*|https?://[^/\s,?#]+")


class Knob(NamedTuple):
    """A setting as `sluice settings` prints it: environment name, value, where it came from, meaning."""

    name: str
    value: str
    origin: Source
    sentence: str


def knob(default: object, sentence: str, least: int | None = None, most: int | None = None) -> Any:
    """Return the field of a setting: what it is unless set, what it does, and its bounds."""
    return Field(default=default, description=sentence, ge=least, le=most)


def _read_origins(value: object) -> tuple[str, ...]:
    items = value.split(",") if isinstance(value, str) else value
    if not isinstance(items, Iterable):
        raise ValueError("origins are written with commas between them")
    origins = tuple(item for item in (str(each).strip().lower() for each in items) if item)
    if len(origins) > 100 or not all(_ORIGIN.fullmatch(origin) for origin in origins):
        raise ValueError("it takes up to 100 origins such as https://app.example.com, or *, without a path")
    return origins


def _read_token(value: object) -> object:
    if isinstance(value, str) and not re.fullmatch(r"[!-~]{1,256}", value):
        raise ValueError("a token is 1 to 256 visible ASCII characters, without spaces")
    return value


Origins = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_read_origins)]
Secret = Annotated[SecretStr, BeforeValidator(_read_token)]
Prefix = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$")]
Codec = Literal["none", "gzip", "snappy", "lz4", "zstd"]
Sasl = Literal["none", "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]


def shown(field: FieldInfo, value: object) -> str:
    """Return a value of a setting for people: in its unit, no secret in it."""
    unit = next((each for each in field.metadata if isinstance(each, Unit)), None)
    match value:
        case None | () | "":
            return "(none)"
        case SecretStr():
            return "(hidden)"
        case bool():
            return "on" if value else "off"
        case tuple():
            return ",".join(map(str, value))
        case int() if unit is not None:
            return unit.show(value)
        case _:
            return _without_secrets(str(value))


def _without_secrets(text: str) -> str:
    """Return a text that may be an address without what is secret in it."""
    if "://" not in text:
        return text
    address, mark, query = _PASSWORD.sub(r"\1…@", text).partition("?")
    said = [part.partition("=") for part in query.split("&")]
    known = [f"{name}={value}" if name in _SHOWN else f"{name}=…" for name, _, value in said]
    return address + (mark + "&".join(known) if mark else "")
