"""Log lines: one JSON object a line off a terminal, plain lines on one, and never a token in either.

Every record is a sentence and an `action` (`extra={"action": …}`, of `rules.signals.Action`). What comes
from libraries has no action of ours and is given `library`.
"""

import re
from collections.abc import Collection
from logging import (
    INFO,
    WARNING,
    Filter,
    Formatter,
    LogRecord,
    StreamHandler,
    getLogger,
    makeLogRecord,
)
from time import gmtime
from typing import Any, Final, Literal, TextIO

from pythonjsonlogger.json import JsonFormatter

LogFormat = Literal["auto", "json", "plain"]

MAX_CHARS: Final = 8_000
"""Longer messages and tracebacks are cut: a log line must not cost more than what it tells of."""

REPEATED_AFTER: Final = 10.0

_HIDDEN: Final = "…"
_QUIET: Final = (
    "faust",
    "mode",
    "aiokafka",
    "uvicorn",
    "kafka",
    "alembic",
    "streams.embedded.transport",  # what Faust says of our transports
    "streams.kafka.transport",
)
_NAMES: Final = r"(?:proxy-)?authorization|x-api-key|token|access_token|api_key|secret|password"
_SECRET_NAME = re.compile(_NAMES, re.IGNORECASE)
# Each with words of which one must be there, in lower case: most lines hold none, and that is quickly seen.
_PATTERNS: Final = (
    # Our own, wherever they stand: tokens, read-only tokens, webhook secrets.
    (("sk_", "pk_", "whsec_"), re.compile(r"\b(sk_|pk_|whsec_)[A-Za-z0-9_\-+/=]+"), rf"\1{_HIDDEN}"),
    # Headers as a line, in a dict or in a list of pairs; a known scheme word is kept for the reader.
    (
        ("authorization", "x-api-key"),
        re.compile(
            r"(?i)((?:authorization|x-api-key)(?:['\"]?\s*[:=]|['\"]\s*,)\s*(?:b?['\"])?)"
            r"(?:((?:bearer|token|basic)\s+)[^\s'\",;)\]}]+|[^\r\n'\"]+)"
        ),
        rf"\1\2{_HIDDEN}",
    ),
    (("bearer",), re.compile(r"(?i)\b(bearer\s+)[A-Za-z0-9._~+/=-]{16,}"), rf"\1{_HIDDEN}"),
    # Query strings and forms; `p` is the password of InfluxDB's older clients.
    (
        ("token=", "api_key=", "secret=", "password=", "p="),
        re.compile(r"(?i)((?:token|api_key|secret|password|[?&]p)=)[^&\s'\"<>]+"),
        rf"\1{_HIDDEN}",
    ),
    # Members of a JSON body or a dict.
    (
        ("token", "api_key", "secret", "password"),
        re.compile(rf"(?i)(['\"](?:{_NAMES})['\"]\s*:\s*b?(['\"]))(?:\\.|(?!\2)[^\\])+"),
        rf"\1{_HIDDEN}",
    ),
    # The password in an address.
    (("://",), re.compile(r"(://[^/@\s:]*:)[^@\s/]+@"), rf"\1{_HIDDEN}@"),
)
_CONTROLS: Final = {code: repr(chr(code))[1:-1] for code in (*range(32), 0x7F, 0x85, 0x2028, 0x2029)}
_OWN_FIELDS: Final = frozenset(makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}


def redact(text: str) -> str:
    """Return `text` without the tokens, secrets and passwords in it; twice is the same as once."""
    lowered = text.lower()
    for words, pattern, instead in _PATTERNS:
        if any(word in lowered for word in words):
            text = pattern.sub(instead, text)
    return text


class Redaction(Filter):
    """Takes secrets out of a record: message, arguments, extra fields and traceback.

    `secrets` are further texts to hide, such as an administrator's token of the operator's own making;
    those under eight characters are left, or they would eat words. Control characters in a message are
    escaped, so what a client sent can't start a line of its own.
    """

    def __init__(self, secrets: Collection[str] = ()) -> None:
        super().__init__()
        self._secrets = tuple(sorted((s for s in secrets if len(s) >= 8), key=len, reverse=True))
        self._formatter = Formatter()

    def filter(self, record: LogRecord) -> bool:
        """Change `record` in place and keep it."""
        # Arguments are put in first: a token may be made of two of them.
        record.msg = self._clean(_message(record)).translate(_CONTROLS)
        record.args = None
        if record.exc_info:
            record.exc_text = record.exc_text or self._formatter.formatException(record.exc_info)
            record.exc_info = None
        if record.exc_text:
            record.exc_text = self._clean(record.exc_text)
        if record.stack_info:
            record.stack_info = self._clean(record.stack_info)
        for name in record.__dict__.keys() - _OWN_FIELDS:
            record.__dict__[name] = self._clean_extra(name, record.__dict__[name])
        return True

    def _clean(self, text: str) -> str:
        text = text[: 4 * MAX_CHARS]
        for secret in self._secrets:
            text = text.replace(secret, _HIDDEN)
        # Cut to size after the redaction: half a secret would no longer be recognised.
        text = redact(text)
        return text if len(text) <= MAX_CHARS else text[:MAX_CHARS] + _HIDDEN

    def _clean_extra(self, name: str, value: object) -> object:
        if value is None or isinstance(value, bool | int | float):
            return value
        return _HIDDEN if _SECRET_NAME.fullmatch(name) else self._clean(str(value))


class Repeats(Filter):
    """Lets a line of aiokafka's pass every ten seconds.

    While the brokers are away each of its clients says the same ten times a second; the log says it once.
    """

    def __init__(self) -> None:
        super().__init__()
        self._said: dict[tuple[str, int], float] = {}

    def filter(self, record: LogRecord) -> bool:
        """Return whether the line's place in the code was silent for that long."""
        if not record.name.startswith("aiokafka"):
            return True
        place = (record.pathname, record.lineno)
        if record.created - self._said.get(place, 0.0) < REPEATED_AFTER:
            return False
        self._said[place] = record.created
        return True


def _message(record: LogRecord) -> str:
    try:
        return record.getMessage()
    except (TypeError, ValueError, KeyError):
        # A log line whose arguments do not fit must not take down what it reports on.
        return f"{record.msg} {record.args!r}"


def configure(log_format: LogFormat, stream: TextIO, secrets: Collection[str] = ()) -> None:
    """Send every log record of the process to `stream`, in place of what was configured before.

    `auto` is plain lines where `stream` is a terminal, else JSON. Libraries are heard from warnings on,
    aiokafka's every ten seconds, and uvicorn's access log is off: it would print query strings.
    """
    handler = StreamHandler(stream)
    plain = log_format == "plain" or (log_format == "auto" and stream.isatty())
    handler.setFormatter(_plain() if plain else _json())
    handler.addFilter(Repeats())
    handler.addFilter(Redaction(secrets))
    root = getLogger()
    for old in list(root.handlers):
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(INFO)
    for name in _QUIET:
        getLogger(name).setLevel(WARNING)
    access = getLogger("uvicorn.access")
    access.handlers.clear()
    access.propagate = False
    access.disabled = True


def _plain() -> Formatter:
    formatter = Formatter(
        "%(asctime)s.%(msecs)03dZ %(levelname)-7s %(action)-12s %(message)s",
        "%Y-%m-%dT%H:%M:%S",
        defaults={"action": "library"},
    )
    formatter.converter = gmtime
    return formatter


def _json() -> Formatter:
    defaults: dict[str, Any] = {"action": "library"}
    return JsonFormatter(
        ("levelname", "name", "message"),
        timestamp="time",
        defaults=defaults,
        rename_fields={"levelname": "level", "name": "logger", "exc_info": "traceback"},
    )
