"""The settings of one process: read, checked for how they fit together, and refused in a sentence.

A value comes from a flag, else from the environment (`SLUICE_…`; an empty one counts as not set), else
it is the default. Sizes are whole bytes and may be written `64MB`, durations are whole nanoseconds and
are written `20s`. Only `infra` knows this class: parts are given plain arguments.
"""

import os
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from ipaddress import ip_address
from typing import Any, Final, Self

from pydantic import PrivateAttr, ValidationError, model_validator
from pydantic_core import ErrorDetails
from pydantic_settings import SettingsConfigDict

from infra.knob import Knob, Source, shown
from infra.knobs import Knobs
from rules.limits import Limits

PREFIX: Final = "SLUICE_"


class WrongSetting(Exception):
    """A setting that can't be used; its text is the one sentence to print before exit status 2."""


class Settings(Knobs):
    """The settings of one process, checked and fixed. Make it with `load`."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, env_ignore_empty=True, extra="forbid")

    _flags: frozenset[str] = PrivateAttr(default=frozenset())

    def __init__(self, **flags: Any) -> None:
        super().__init__(**flags)
        self._flags = frozenset(flags)

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach the door."""
        try:
            return self.host == "localhost" or ip_address(self.host.strip("[]")).is_loopback
        except ValueError:
            return False

    def origin(self, name: str) -> Source:
        """Return where the value of the field `name` came from."""
        if name in self._flags:
            return "flag"
        return "environment" if name in self.model_fields_set else "default"

    def limits(self) -> Limits:
        """Return the bounds on one request, record or rule."""
        return Limits(
            wire_bytes=self.max_wire,
            body_bytes=self.max_body,
            lines_wire_bytes=self.max_lines_wire,
            lines_body_bytes=self.max_lines_body,
            record_bytes=self.max_record,
            columns=self.max_columns,
            nesting=self.max_nesting,
            condition_bytes=self.max_condition,
            condition_depth=self.max_condition_depth,
            rules_per_workspace=self.max_rules,
        )

    def describe(self) -> list[Knob]:
        """Return every setting for people: in order, secrets hidden."""
        return [
            Knob(PREFIX + name.upper(), shown(field, getattr(self, name)), self.origin(name), sentence)
            for name, field in type(self).model_fields.items()
            if (sentence := field.description)
        ]

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        for wrong, sentence in _CONFLICTS:
            if wrong(self):
                raise ValueError(sentence)
        return self


_CONFLICTS: Final[tuple[tuple[Callable[[Settings], bool], str], ...]] = (
    (
        lambda s: s.log != "embedded://" and not s.log.startswith("kafka://"),
        "SLUICE_LOG must be embedded://, or kafka://host:port,… for Apache Kafka.",
    ),
    (
        lambda s: not (s.database or "postgresql://").startswith("postgresql://"),
        "SLUICE_DATABASE must be postgresql://…, or not set for SQLite in the data directory.",
    ),
    (
        lambda s: s.log.startswith("kafka://") != (s.database is not None),
        "SLUICE_LOG=kafka://… goes with SLUICE_DATABASE=postgresql://…, and the embedded log with SQLite; "
        "set both or neither.",
    ),
    (
        lambda s: not s.auth and not s.loopback,
        "SLUICE_AUTH=off is allowed only on loopback; set SLUICE_HOST=127.0.0.1, or leave it on.",
    ),
    (
        lambda s: (s.tls_cert is None) != (s.tls_key is None),
        "SLUICE_TLS_CERT and SLUICE_TLS_KEY go together; set both or neither.",
    ),
    (
        lambda s: s.heartbeat * 3 > s.session,
        "SLUICE_HEARTBEAT must be at most a third of SLUICE_SESSION, or one late heartbeat ends a worker.",
    ),
    (
        lambda s: (s.kafka_sasl != "none") != (s.kafka_username is not None and s.kafka_password is not None),
        "SLUICE_KAFKA_SASL, SLUICE_KAFKA_USERNAME and SLUICE_KAFKA_PASSWORD go together; set all or none.",
    ),
    (
        lambda s: not s.kafka_tls and (s.kafka_ca or s.kafka_cert or s.kafka_key) is not None,
        "SLUICE_KAFKA_CA, _CERT and _KEY are for TLS; set SLUICE_KAFKA_TLS=true.",
    ),
    (
        lambda s: (s.kafka_cert is None) != (s.kafka_key is None),
        "SLUICE_KAFKA_CERT and SLUICE_KAFKA_KEY go together; set both or neither.",
    ),
    (lambda s: s.max_record > s.max_body, "SLUICE_MAX_RECORD must not be larger than SLUICE_MAX_BODY."),
)


def load(flags: Mapping[str, object] | None = None) -> Settings:
    """Return the settings of this process. `flags` are by field name; those that are None were not given.

    Raises: WrongSetting, for a value that can't be used and for a `SLUICE_…` variable that is none.
    """
    given = {name: value for name, value in (flags or {}).items() if value is not None}
    known = [name.upper() for name in Settings.model_fields]
    for variable in sorted(key.upper() for key in os.environ if key.upper().startswith(PREFIX)):
        name = variable.removeprefix(PREFIX)
        if name not in known:
            close = get_close_matches(name, known, n=1)
            hint = f"; did you mean {PREFIX}{close[0]}?" if close else "."
            raise WrongSetting(f"{variable} is not a setting{hint} `sluice settings` lists them all.")
    try:
        return Settings(**given)
    except ValidationError as wrong:
        raise WrongSetting(_sentence(wrong.errors()[0], given)) from None


def _sentence(error: ErrorDetails, flags: Mapping[str, object]) -> str:
    if error["type"] == "value_error" and not error["loc"]:
        return str(error["ctx"]["error"])
    name = str(error["loc"][0])
    label = f"--{name.replace('_', '-')} " if name in flags else f"{PREFIX}{name.upper()}="
    value = "…" if name == "admin_token" else shown(Settings.model_fields[name], error["input"])[:80]
    value = "".join(letter if letter.isprintable() else "?" for letter in value)
    return f"{label}{value} is wrong: {_reason(name, error).rstrip('.')}."


def _reason(name: str, error: ErrorDetails) -> str:
    field = Settings.model_fields[name]
    match error["type"]:
        case "value_error":
            return str(error["ctx"]["error"])
        case "greater_than_equal":
            return f"the least is {shown(field, error['ctx']['ge'])}"
        case "less_than_equal":
            return f"the most is {shown(field, error['ctx']['le'])}"
        case _:
            return error["msg"][:1].lower() + error["msg"][1:]
