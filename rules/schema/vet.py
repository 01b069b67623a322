"""Which JSON Schemas a dataset may declare: valid, self-contained, bounded in every way."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from rules.errors import BAD_SCHEMA, Problem
from rules.limits import Limits
from rules.names import field_problem
from rules.schema.columns import DIALECT, resolve
from rules.schema.dataset import Dataset, Mode
from rules.schema.derive import document_of, exact_schema, quick_schema
from rules.schema.validator import why_not_compiled
from rules.schema.values import pointer, quoted

_MAX_PARTS: Final = 10_000
_MAX_DEPTH: Final = 64
_MAX_PATTERNS: Final = 100
_MAX_WORK: Final = 2_000
_IN_PLACE_LISTS: Final = ("allOf", "anyOf", "oneOf")
_IN_PLACE: Final = ("not", "if", "then", "else")
_REFERENCES: Final = ("$ref", "$dynamicRef")


def vet_schema(schema: object, mode: Mode, limits: Limits) -> dict[str, Any]:
    """Return `schema` if a dataset of this mode may declare it.

    It is a JSON Schema 2020-12 of an object with properties; it refers to nothing outside itself, its
    patterns run in linear time, and no value is checked against more than 2,000 parts of it at once.

    Raises: Problem(bad_schema), which says what is wrong and where.
    """
    if not isinstance(schema, dict):
        raise _bad("It must be a JSON object.")
    _check_parts(schema, min(limits.nesting, _MAX_DEPTH))
    if schema.get("$schema", DIALECT) not in (DIALECT, DIALECT + "#"):
        raise _bad(f"It is written for {schema['$schema']!r:.80}; write it for {DIALECT}.")
    _check_words(schema)
    _check_properties(schema, mode, limits)
    _Work(schema).check()
    if why := why_not_compiled(document_of(schema)):
        raise _bad(f"It can't be compiled: {why}. Patterns must be such as run in linear time.")
    return schema


def ensure_checkable(dataset: Dataset, limits: Limits) -> Dataset:
    """Return `dataset` if its records can be checked.

    Raises: Problem(bad_schema) where what is derived from its schema does not compile.
    """
    for derived in (quick_schema(dataset, limits.nesting), exact_schema(dataset)):
        if why := why_not_compiled(derived):
            raise _bad(f"It can't be compiled: {why}.")
    return dataset


def _check_parts(schema: dict[str, Any], depth: int) -> None:
    """Bound the size of the document before anything recursive reads it, and keep it to itself."""
    patterns = 0
    for parts, (steps, value) in enumerate(_walk(schema), start=1):
        if parts > _MAX_PARTS:
            raise _bad(f"It has more than {_MAX_PARTS} parts; make it smaller.")
        if len(steps) > depth:
            raise _bad(f"It is nested deeper than {depth}, under {pointer(steps[:4])}.")
        word = steps[-1] if steps else None
        of_pattern = word == "pattern" and isinstance(value, str)
        if of_pattern or (len(steps) > 1 and steps[-2] == "patternProperties"):
            patterns += 1
        if patterns > _MAX_PATTERNS:
            raise _bad(f"It has more than {_MAX_PATTERNS} patterns.")
        if word in _REFERENCES and isinstance(value, str) and not value.startswith("#"):
            raise _bad(
                f"{pointer(steps)} refers to {quoted(value)}; only references within it (#…) are taken."
            )
        if word == "$id" and len(steps) > 1 and isinstance(value, str):
            raise _bad(f"{pointer(steps)} begins another document; a schema is one.")


def _walk(root: Any) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    waiting: list[tuple[tuple[str | int, ...], Any]] = [((), root)]
    while waiting:
        steps, value = waiting.pop()
        yield steps, value
        if isinstance(value, dict):
            waiting += (((*steps, word), part) for word, part in value.items())
        elif isinstance(value, list):
            waiting += (((*steps, index), part) for index, part in enumerate(value))


def _check_words(schema: dict[str, Any]) -> None:
    # needed only where a schema is declared, and a tenth of a second of every start
    from jsonschema import Draft202012Validator, FormatChecker  # type: ignore[import-untyped]
    from jsonschema.exceptions import SchemaError  # type: ignore[import-untyped]

    try:
        Draft202012Validator.check_schema(schema, format_checker=FormatChecker(formats=()))
    except SchemaError as error:
        raise _bad(f"{pointer(error.path) or 'The root'}: {error.message:.200}") from None


def _check_properties(schema: dict[str, Any], mode: Mode, limits: Limits) -> None:
    if schema.get("type", "object") != "object" or "properties" not in schema:
        raise _bad("It must describe an object (type: object) and list its properties.")
    properties = schema["properties"]
    if not properties and mode == "strict":
        raise _bad("A strict dataset must have properties, or no record fits it.")
    if len(properties) > limits.columns:
        raise _bad(f"It has {len(properties)} properties; {limits.columns} are allowed.")
    for name in properties:
        if why := field_problem(name):
            raise _bad(f"In it, {why}.")
    if mode == "strict":
        for name in schema.get("required", ()):
            if name not in properties:
                raise _bad(f"It requires {quoted(name)}, which is not among its properties.")


class _Work:
    """How many parts of a schema one value is checked against: references multiply them unseen."""

    def __init__(self, schema: dict[str, Any]) -> None:
        self._schema = schema
        self._anchors = {
            f"#{part[word]}": part
            for _, part in _walk(schema)
            if isinstance(part, dict)
            for word in ("$anchor", "$dynamicAnchor")
            if isinstance(part.get(word), str)
        }
        self._known: dict[int, tuple[int, int]] = {}
        self._open: set[int] = set()

    def check(self) -> None:
        """Raise Problem(bad_schema) where it is too much, or a part refers to itself in place."""
        for _, part in _walk(self._schema):
            self._of(part)

    def _of(self, part: object) -> tuple[int, int]:
        """Return how many parts a value at this part meets, and how deep they stand in each other."""
        if not isinstance(part, Mapping):
            return 1, 1
        at = id(part)
        if at in self._known:
            return self._known[at]
        if at in self._open:
            raise _bad("A part of it refers to itself without going into the value.")
        self._open.add(at)
        depth = len(self._open)
        work, below = 1, 0
        for inner in self._in_place(part) if depth <= _MAX_DEPTH else ():
            more, deep = self._of(inner)
            work, below = work + more, max(below, deep)
        self._open.remove(at)
        if max(depth, below + 1) > _MAX_DEPTH:
            raise _bad(f"References in it follow each other more than {_MAX_DEPTH} deep.")
        if work > _MAX_WORK:
            raise _bad(f"One value would be checked against more than {_MAX_WORK} parts of it.")
        self._known[at] = work, below + 1
        return self._known[at]

    def _in_place(self, part: Mapping[str, Any]) -> Iterator[object]:
        for word in _REFERENCES:
            reference = part.get(word)
            if isinstance(reference, str):
                yield self._anchors.get(reference) or resolve(reference, self._schema)
        for word in _IN_PLACE:
            if word in part:
                yield part[word]
        for word in _IN_PLACE_LISTS:
            if isinstance(part.get(word), list):
                yield from part[word]
        if isinstance(part.get("dependentSchemas"), Mapping):
            yield from part["dependentSchemas"].values()


def _bad(what: str) -> Problem:
    return Problem(BAD_SCHEMA, f"The schema can't be taken. {what}")
