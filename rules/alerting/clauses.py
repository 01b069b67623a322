"""The clauses of a rule as people declare them, each read and refused by its name."""

from typing import Any, Final, Literal, cast

from rules.alerting.fields import checked_text, kind, refuse_unknown, texts
from rules.condition.condition import ConditionError, read_condition
from rules.envelope import ID_FIELD, TIME_FIELD
from rules.errors import BAD_CONDITION, BAD_RULE, Problem
from rules.limits import Limits
from rules.names import field_problem
from rules.names import rule_id as checked_id
from rules.schema.moments import parse_duration

Mode = Literal["each"]
State = Literal["active", "paused", "deleted"]

_KNOWN: Final = frozenset(
    {"id", "on", "where", "key", "mode", "cooldown", "severity", "notify", "message", "title", "state"}
    # What an answer shows besides; ignored, so that what was got can be put back.
    | {"version", "createdAt", "updatedAt", "warnings"}
)
_LATER: Final = frozenset(
    {"window", "when", "reset", "for", "keep_firing_for", "absent_for", "remind_every", "group_by"}
    | {"inhibited_by", "on_missing", "on_error"}
)
_LATER_MODES: Final = frozenset({"edge", "level"})


def refuse_others(declared: dict[str, Any]) -> None:
    """Refuse a field that rules do not have, or do not have yet.

    Raises: Problem(bad_rule).
    """
    for name in sorted(_LATER & declared.keys()):
        raise Problem(BAD_RULE, f"The field '{name}' of a rule is not supported yet; leave it out.")
    refuse_unknown(declared, _KNOWN, "rule", BAD_RULE)


def read_id(declared: dict[str, Any], given: str | None) -> str:
    """Return the rule's id: the body's, or `given` where it has none.

    Raises: Problem: bad_name, or bad_rule where there is none or two that differ.
    """
    own = declared.get("id")
    if own is None and given is None:
        raise Problem(BAD_RULE, "The field 'id' is missing.")
    if own is None:
        return checked_id(cast(str, given))
    name = checked_id(checked_text(own, "The field 'id'", BAD_RULE, most=128))
    if given is not None and given != name:
        raise Problem(BAD_RULE, f"The field 'id' is '{name}', but the request is about the rule '{given}'.")
    return name


def read_where(declared: dict[str, Any], limits: Limits) -> str:
    """Return the condition's source, which is known to parse.

    Raises: Problem: bad_rule, or bad_condition with `position` in `extra`.
    """
    if declared.get("where") is None:
        raise Problem(
            BAD_RULE, "The field 'where' is missing; it holds the condition, such as \"temp > 30\"."
        )
    where = declared["where"]
    if not isinstance(where, str):
        raise Problem(BAD_RULE, f"The field 'where' must be a text, not {kind(where)}.")
    try:
        read_condition(where, limits)
    except ConditionError as error:
        raise Problem(BAD_CONDITION, f"where: {error}", extra={"position": error.position}) from None
    # Last, as the parser's own sentences are better where it has one.
    return checked_text(where, "The field 'where'", BAD_RULE, most=limits.condition_bytes)


def read_key(declared: dict[str, Any], limits: Limits) -> tuple[str, ...]:
    """Return the key's columns; none where there is no key.

    Raises: Problem(bad_rule).
    """
    key = texts(declared, "key", BAD_RULE, most=limits.key_columns, longest=limits.field_chars) or ()
    for column in key:
        trouble = None if column in (ID_FIELD, TIME_FIELD) else field_problem(column)
        if trouble is not None:
            raise Problem(BAD_RULE, f"The field 'key' names no column: {trouble}.")
    return key


def read_mode(declared: dict[str, Any]) -> Mode:
    """Return the mode, `each` where none is given.

    Raises: Problem(bad_rule).
    """
    mode = declared.get("mode")
    if mode is None or mode == "each":
        return "each"
    if isinstance(mode, str) and mode in _LATER_MODES:
        raise Problem(BAD_RULE, f"The mode '{mode}' is not supported yet; the mode is 'each'.")
    shown = f"'{mode[:40]}'" if isinstance(mode, str) else kind(mode)
    raise Problem(BAD_RULE, f"The mode must be 'each', not {shown}.")


def read_cooldown(declared: dict[str, Any]) -> str | None:
    """Return the cooldown as it was given, known to be a duration.

    Raises: Problem(bad_rule).
    """
    cooldown = declared.get("cooldown")
    if cooldown is None:
        return None
    given = checked_text(cooldown, "The field 'cooldown'", BAD_RULE, most=32)
    try:
        parse_duration(given)
    except ValueError as error:
        raise Problem(BAD_RULE, f"The field 'cooldown': {error}") from None
    return given


def read_state(declared: dict[str, Any]) -> State:
    """Return the state, `active` where none is given; `deleted` can't be declared.

    Raises: Problem(bad_rule).
    """
    state = declared.get("state")
    if state is None or state == "active":
        return "active"
    if state == "paused":
        return "paused"
    shown = f"'{state[:40]}'" if isinstance(state, str) else kind(state)
    raise Problem(BAD_RULE, f"The state of a rule is 'active' or 'paused', not {shown}.")
