"""From a wish to a rule as people declare one here, and to the subscription that is told of its alerts."""

import json
import re
from typing import Any, Final

from api.apperate.wish import Column, Operand, Test, Wish
from rules.condition.parse import field_source
from rules.errors import BAD_RULE, Problem
from rules.schema.dataset import ColumnType, Dataset

_NUMBER: Final = re.compile(r"-?\d{1,18}(\.\d{1,18})?", re.ASCII)
_NUMERIC: Final = (ColumnType.INTEGER, ColumnType.UNSIGNED, ColumnType.NUMBER)

# The signs are those of the vendor's examples and clients, the words those of its console.
_COMPARISONS: Final = {
    ">": (">", "above", "is above", "is greater than"),
    "<": ("<", "below", "is below", "is less than"),
    ">=": (">=", "is at least"),
    "<=": ("<=", "is at most"),
    "==": ("==", "=", "===", "is", "equals", "is equal to"),
    "!=": ("!=", "<>", "!==", "is not", "is not equal to"),
}
_METHODS: Final = {"contains": ("contains",), "startsWith": ("startsWith", "starts with")} | {
    "endsWith": ("endsWith", "ends with")
}
_OF: Final = {
    word.lower(): sign
    for signs in (_COMPARISONS, _METHODS)
    for sign, words in signs.items()
    for word in words
}

_ORDERED: Final = (">", ">=", "<", "<=", "==", "!=")
_EQUAL: Final = ("==", "!=")
OPERATORS: Final = {
    "number": _ORDERED,
    "date": _ORDERED,
    "string": (*_EQUAL, "contains", "startsWith", "endsWith"),
    "boolean": _EQUAL,
}
"""Which operators suit values of which type, as `rules/schema` shows them."""


def declaration(wish: Wish, dataset: Dataset | None) -> dict[str, Any]:
    """Return the body of the rule that does what was wished, as `read_rule` reads it.

    Its key is the dataset's own, so that `frequency` is per key; `wish.key` stands for it where given.
    Raises: Problem(bad_rule).
    """
    key = list(wish.key if wish.key is not None else _key(dataset))
    tests = [_condition(test, dataset) for test in wish.tests]
    where = (" && " if wish.every else " || ").join(tests)
    if wish.watched.entity is not None:
        only = _of_entity(wish.watched.entity, key, dataset, wish.watched.dataset)
        where = f"{only} && {where}" if wish.every or len(tests) == 1 else f"{only} && ({where})"
    return {
        "on": wish.watched.dataset,
        "where": where,
        "key": key,
        "cooldown": f"{wish.seconds}s" if wish.seconds else None,
        "title": wish.name,
        "message": wish.output.get("message"),
    }


def subscription(wish: Wish, rule_id: str) -> dict[str, Any] | None:
    """Return the body of the subscription that only this rule's alerts go to; None where none is wanted."""
    output = wish.output
    if output["method"] == "logs":
        return None
    where = {"webhook": "url", "email": "to"}[output["method"]]
    return {"kind": output["method"], where: output.get(where), "rules": [rule_id]}


def _key(dataset: Dataset | None) -> tuple[str, ...]:
    """Return the columns that tell one subject of a dataset from another: its key, less the date."""
    if dataset is None:
        return ()
    own = tuple(name for name in dataset.key if name != dataset.date)
    return own + tuple(name for name in dataset.partition_by if name not in own)


def _of_entity(entity: str, key: list[str], dataset: Dataset | None, name: str) -> str:
    if not key:
        raise Problem(
            BAD_RULE,
            f"The rule is for the key '{entity[:60]}', but the dataset '{name}' has none; declare one, or "
            "name the column in the field 'key'.",
        )
    value: Operand = entity
    if _type(dataset, key[0]) in _NUMERIC:
        if not _NUMBER.fullmatch(entity):
            raise Problem(
                BAD_RULE, f"The key column '{key[0]}' of '{name}' holds numbers, not '{entity[:60]}'."
            )
        value = json.loads(entity) if "." in entity else int(entity)
    return _comparison(Column(key[0]), "==", value)


def _condition(test: Test, dataset: Dataset | None) -> str:
    sign = _OF.get(test.operator.lower())
    if sign is None:
        known = ", ".join([*_COMPARISONS, *_METHODS])
        raise Problem(BAD_RULE, f"conditions: the operator '{test.operator}' is none of {known}.")
    right = test.right
    if isinstance(right, str) and _type(dataset, test.left.name) in _NUMERIC and _type(dataset, right):
        right = Column(right)  # a number is compared with no text, so the text names another column
    return _comparison(test.left, sign, right)


def _comparison(left: Column, sign: str, right: Operand) -> str:
    if sign in _METHODS:
        return f"{_shown(left)}.{sign}({_shown(right)})"
    return f"{_shown(left)} {sign} {_shown(right)}"


def _shown(operand: Operand) -> str:
    if not isinstance(operand, Column):
        return json.dumps(operand, ensure_ascii=False)
    try:
        return field_source(operand.name)
    except ValueError as error:
        raise Problem(BAD_RULE, f"conditions: {error}.") from None


def _type(dataset: Dataset | None, column: str) -> ColumnType | None:
    found = None if dataset is None else dataset.by_name.get(column)
    return None if found is None else found.type
