"""Log lines: their two forms, and that no secret is in any of them."""

import ast
import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.logs import MAX_CHARS, LogFormat, configure, redact
from rules.signals import Action
from tests.house.test_layers import SOURCES, tree

SECRET = "Zm9vYmFyYmF6cXV4"
TOKENS = st.text("abcdefgXYZ0123456789_-", min_size=8, max_size=43).map(lambda text: "sk_" + text)
PLACES = (
    "the token {} was used",
    "GET /v1/data/acme/quotes?token={}&limit=1",
    "Authorization: Bearer {}",
    "authorization={}",
    "{{'Authorization': 'Token {}', 'x': 1}}",
    "[(b'authorization', b'Bearer {}'), (b'accept', b'*/*')]",
    '{{"token": "{}"}}',
    "x-api-key: {}",
    "redis://user:{}@host/0",
    "POST /write?u=me&p={}",
)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    names = ("", "faust", "mode", "aiokafka", "kafka", "uvicorn", "uvicorn.access")
    loggers = [logging.getLogger(name) for name in names]
    before = [(log, list(log.handlers), log.level, log.propagate, log.disabled) for log in loggers]
    yield
    for log, handlers, level, propagate, disabled in before:
        log.handlers[:], log.propagate, log.disabled = handlers, propagate, disabled
        log.setLevel(level)


def lines(log_format: LogFormat = "json", secrets: tuple[str, ...] = ()) -> io.StringIO:
    out = io.StringIO()
    configure(log_format, out, secrets)
    return out


def only_object(out: io.StringIO) -> dict[str, Any]:
    (line,) = out.getvalue().splitlines()
    found = json.loads(line)
    assert isinstance(found, dict)
    return found


def test_off_a_terminal_a_line_is_one_json_object_with_a_sentence_and_an_action() -> None:
    out = lines("auto")
    logging.getLogger("streams.persist").info(
        "Applied %d records.", 3, extra={"action": "ready", "took": 0.5}
    )
    found = only_object(out)
    assert found.pop("time").startswith("20")
    assert found == {
        "level": "INFO",
        "logger": "streams.persist",
        "message": "Applied 3 records.",
        "action": "ready",
        "took": 0.5,
    }


def test_on_a_terminal_a_line_is_for_people() -> None:
    out = Terminal()
    configure("auto", out)
    logging.getLogger("x").warning("The disk is nearly full.", extra={"action": "log_failed"})
    assert out.getvalue()[:4].isdigit()
    assert out.getvalue().endswith("Z WARNING log_failed   The disk is nearly full.\n")


@pytest.mark.parametrize(("log_format", "stream"), [("json", Terminal()), ("plain", io.StringIO())])
def test_a_format_that_is_set_is_kept_whatever_the_stream(log_format: LogFormat, stream: io.StringIO) -> None:
    configure(log_format, stream)
    logging.getLogger("x").info("Hello.")
    assert stream.getvalue().startswith("{") == (log_format == "json")


def test_a_line_of_a_library_has_an_action_too() -> None:
    out = lines()
    logging.getLogger("whoever").warning("Careful.")
    assert only_object(out)["action"] == "library"


def test_configuring_again_replaces_what_was_there() -> None:
    first, second = lines(), lines()
    logging.getLogger("x").info("Once.")
    assert first.getvalue() == ""
    assert only_object(second)["message"] == "Once."


@pytest.mark.parametrize(
    "name", ["faust", "faust.app", "mode.services", "aiokafka.consumer", "uvicorn.error"]
)
def test_libraries_are_heard_from_warnings_on(name: str) -> None:
    out = lines()
    logging.getLogger(name).info("Chatter.")
    logging.getLogger(name).warning("Trouble.")
    assert only_object(out)["message"] == "Trouble."


def test_the_access_log_of_uvicorn_is_off() -> None:
    out = lines()
    access = logging.getLogger("uvicorn.access")
    access.error("GET /?token=%s", SECRET)
    assert out.getvalue() == ""
    assert not access.hasHandlers()


@given(TOKENS, st.sampled_from(PLACES))
def test_a_token_is_hidden_wherever_it_stands_and_hiding_twice_changes_nothing(
    token: str, place: str
) -> None:
    hidden = redact(place.format(token))
    assert token not in hidden
    assert "…" in hidden
    assert redact(hidden) == hidden


@pytest.mark.parametrize("place", PLACES[1:])
def test_a_secret_without_our_prefix_is_hidden_where_secrets_stand(place: str) -> None:
    assert SECRET not in redact(place.format(SECRET))


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("pk_abc and sk_def.", "pk_… and sk_…."),
        ("secret whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw==", "secret whsec_…"),
        ("GET /x?a=1&TOKEN=abc&b=2 HTTP/1.1", "GET /x?a=1&TOKEN=…&b=2 HTTP/1.1"),
        ("Authorization: Basic dTpw, refused", "Authorization: Basic …, refused"),
        ("Authorization: Odd one two\nnext", "Authorization: …\nnext"),
        (f"sent bearer {SECRET} twice", "sent bearer … twice"),
        ("postgresql://app:pa:ss@db/x", "postgresql://app:…@db/x"),
        ("""{'token': "it's", "a": 1}""", """{'token': "…", "a": 1}"""),
        (r'{"password": "a\"b", "c": 2}', '{"password": "…", "c": 2}'),
        ("no one bears tokens without authorization, not even admins", None),
        ("https://example.com/a:b@c?q=1 took 3:04", None),
        ("disk_ok ask_x risk_y", None),
    ],
)
def test_what_is_hidden_is_the_secret_and_nothing_else(text: str, hidden: str | None) -> None:
    assert redact(text) == (hidden or text)


def test_no_part_of_a_record_keeps_a_token() -> None:
    out = lines()
    token = "sk_" + SECRET
    log = logging.getLogger("x")
    log.info(
        "head %s", {"Authorization": f"Bearer {token}"}, extra={"action": "request_failed", "token": SECRET}
    )
    log.info("put together: token=%s", SECRET, extra={"headers": [("x-api-key", SECRET)]})
    log.info("stack", stack_info=True, extra={"url": f"/x?token={SECRET}"})
    try:
        raise ValueError(f"bad token {token}")
    except ValueError:
        log.exception("failed")
    assert SECRET not in out.getvalue()
    assert "bad token sk_…" in json.loads(out.getvalue().splitlines()[-1])["traceback"]


def test_a_secret_of_the_operators_own_making_is_hidden_too() -> None:
    out = lines(secrets=("correct-horse", "a"))
    logging.getLogger("x").info("someone sent correct-horse as a name")
    assert only_object(out)["message"] == "someone sent … as a name"


@pytest.mark.parametrize("log_format", ["json", "plain"])
def test_what_a_client_sent_can_not_start_a_line(log_format: LogFormat) -> None:
    out = lines(log_format)
    logging.getLogger("x").info("unknown name %s", "a\nforged\r\u2028\x1b[2J")
    assert len(out.getvalue().splitlines()) == 1
    assert "\x1b" not in out.getvalue()
    assert "forged" in out.getvalue()


def test_a_long_message_is_cut_and_its_secrets_with_it() -> None:
    out = lines()
    logging.getLogger("x").info("%s%s", "x" * (MAX_CHARS - 10), " sk_" + "y" * 10**6)
    message = only_object(out)["message"]
    assert len(message) == MAX_CHARS - 10 + len(" sk_…")


def test_arguments_that_do_not_fit_do_not_fail_the_caller() -> None:
    out = lines()
    logging.getLogger("x").info("%d of %d", "sk_" + SECRET)
    assert only_object(out)["message"] == "%d of %d ('sk_…',)"


def actions(path: Path) -> Iterator[tuple[str, int, str]]:
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.keyword) and node.arg == "extra" and isinstance(node.value, ast.Dict):
            for key, value in zip(node.value.keys, node.value.values, strict=True):
                if (
                    isinstance(key, ast.Constant)
                    and key.value == "action"
                    and isinstance(value, ast.Constant)
                ):
                    yield str(path), node.value.lineno, str(value.value)


def test_every_action_in_the_code_is_one_of_the_list() -> None:
    found = [place for path in SOURCES for place in actions(path)]
    assert found
    assert [place for place in found if place[2] not in get_args(Action)] == []


def test_what_aiokafka_repeats_is_heard_once_and_what_is_new_at_once() -> None:
    out = lines("plain")
    for number in range(50):
        logging.getLogger("aiokafka").error("Unable connect to node with id %d", number)
    logging.getLogger("aiokafka.consumer").warning("Heartbeat failed")
    for number in range(3):
        logging.getLogger("streams.agents").warning("tried again %d", number)
    told = out.getvalue().splitlines()
    assert len(told) == 5
    assert told[0].endswith("Unable connect to node with id 0")
    assert told[1].endswith("Heartbeat failed")
