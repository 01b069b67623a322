"""The compiled validator: jsonschema-rs with everything off that could fetch, hang or grow.

No reference is followed out of the document, patterns run in linear time, formats are annotations (as
2020-12 has it): those that make a date or date-time column are checked as the column's type.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple, TypeAlias

from jsonschema_rs import Draft202012Validator, RegexOptions, ValidationError, ValidationErrorKind

from rules.errors import SCHEMA_VIOLATION, UNKNOWN_FIELD, WRONG_TYPE, Code
from rules.schema.values import pointer, quoted, shown

_PATTERN_BYTES: Final = 2 * 1024 * 1024
_MESSAGE_CHARS: Final = 300
_VALUE: Final = "\ufffc"
"""Stands for the value in messages, which would show it whole."""


CompiledSchema: TypeAlias = Draft202012Validator


class Violation(NamedTuple):
    """A rule of a schema that a record breaks. `field` is the property concerned, None for the record."""

    field: str | None
    path: str
    code: Code
    message: str


def compile_schema(schema: Mapping[str, Any]) -> CompiledSchema:
    """Return the validator of a JSON Schema 2020-12.

    Raises: ValueError where a pattern needs more than linear time or 2 MB, or a reference leads nowhere.
    """
    return Draft202012Validator(
        dict(schema),
        validate_formats=False,
        offline=True,
        mask=_VALUE,
        pattern_options=RegexOptions(size_limit=_PATTERN_BYTES, dfa_size_limit=_PATTERN_BYTES),
    )


def why_not_compiled(schema: Mapping[str, Any]) -> str | None:
    """Return in a sentence why `compile_schema` does not take the schema, or None."""
    try:
        compile_schema(schema)
    except ValidationError as error:
        return error.message.replace(_VALUE, shown(error.instance))[:_MESSAGE_CHARS]
    except ValueError as error:
        return str(error)[:_MESSAGE_CHARS]
    return None


def violations(validator: CompiledSchema, record: Mapping[str, Any]) -> Iterator[Violation]:
    """Yield the rules of the schema that the record breaks. Its nesting must have been bounded."""
    try:
        for error in validator.iter_errors(record):
            yield from _read(error)
    except ValueError as error:  # where nesting may be deeper than the validator goes
        yield Violation(
            None, "", SCHEMA_VIOLATION, f"The record can't be checked against the schema: {error}."
        )


def _read(error: ValidationError) -> Iterator[Violation]:
    kind = error.kind
    steps = error.instance_path
    if not steps and isinstance(
        kind, (ValidationErrorKind.AdditionalProperties, ValidationErrorKind.UnevaluatedProperties)
    ):
        for name in kind.unexpected:
            message = f"The schema allows no other properties than its own; {quoted(name)} came."
            yield Violation(name, pointer((name,)), UNKNOWN_FIELD, message)
        return
    if isinstance(kind, ValidationErrorKind.Required):
        steps = [*steps, kind.property]
    code = WRONG_TYPE if kind.name == "type" else SCHEMA_VIOLATION
    yield Violation(str(steps[0]) if steps else None, pointer(steps), code, _sentence(error))


def _sentence(error: ValidationError) -> str:
    message = error.message.replace(_VALUE, shown(error.instance))
    cut = message if len(message) <= _MESSAGE_CHARS else message[: _MESSAGE_CHARS - 1] + "…"
    return f"{cut[:1].upper()}{cut[1:]} (the schema's {error.kind.name})."
