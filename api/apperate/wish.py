"""What a caller of `/v1/rules/create` asks for: both forms of Apperate's and IEX Cloud's rules, read by name.

The forms are those of the vendor's guides and of its clients: `ruleSet` names what is watched and conditions
name its columns, or `index` names facts as `WORKSPACE:NAMESPACE:ENTITY:FACT` and conditions say `$index[0]`.
"""

import re
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from rules.alerting.fields import checked_text, kind, members, text, texts
from rules.alerting.rule import MAX_TITLE
from rules.errors import BAD_RULE, Problem
from rules.names import dataset_name, fold, workspace_name

ANY: Final = "ANYEVENT"
METHODS: Final = ("webhook", "email", "logs")
"""What `outputs` may say: subscriptions of these kinds; or `logs`, and the alerts are read."""

MOST: Final = 100
"""Conditions, and facts, that a rule may have."""
_LONGEST_COOLDOWN: Final = 366 * 86_400
_KNOWN: Final = {"token", "id", "workspace", "dataset", "key", "ruleName", "ruleSet", "type", "index"} | {
    "conditions",
    "outputs",
    "additionalKeys",
    "additionalIndex",
}
_INDEX: Final = re.compile(r"\$index\[(\d{1,3})\]", re.ASCII)
_SECONDS: Final = re.compile(r"\d{1,9}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the watched dataset, as an operand."""

    name: str


Operand = Column | str | int | float | bool | None


class Test(NamedTuple):
    """One condition: what is compared, how, with what."""

    left: Column
    operator: str
    right: Operand


@dataclass(frozen=True, slots=True)
class Watched:
    """What a rule judges: a dataset, and of it the records of one `entity` (None: all)."""

    workspace: str | None
    dataset: str
    entity: str | None


@dataclass(frozen=True, slots=True)
class Wish:
    """A rule as it is asked for. `seconds` are between two alerts of a key; `output` holds its method."""

    id: str | None
    name: str
    watched: Watched
    key: tuple[str, ...] | None
    every: bool
    tests: tuple[Test, ...]
    seconds: int
    output: dict[str, Any]
    warnings: tuple[str, ...]


def read_wish(body: dict[str, Any]) -> Wish:
    """Return what a body asks for. Raises: Problem(bad_rule, bad_name)."""
    facts = _facts(body)
    watched = _watched(body) if facts is None else facts[0]
    output = _output(body)
    return Wish(
        id=text(body, "id", BAD_RULE, most=128, fallback="") or None,
        name=text(body, "ruleName", BAD_RULE, most=MAX_TITLE),
        watched=watched,
        key=texts(body, "key", BAD_RULE, most=32),
        every=_every(body),
        tests=_tests(body, () if facts is None else facts[1]),
        seconds=_seconds(output.get("frequency")),
        output=output,
        warnings=_warnings(body),
    )


def _watched(body: dict[str, Any]) -> Watched:
    given = text(body, "ruleSet", BAD_RULE, most=1_100)
    workspace = text(body, "workspace", BAD_RULE, most=64, fallback="") or None
    workspace = None if workspace is None else workspace_name(workspace)
    if given == ANY:
        dataset = text(body, "dataset", BAD_RULE, most=64, fallback="")
        if not dataset:
            raise Problem(BAD_RULE, f"ruleSet is {ANY}: name the dataset in the field 'dataset'.")
        return Watched(workspace, dataset_name(dataset), None)
    dataset, colon, entity = given.partition(":")
    if colon and not entity:
        raise Problem(BAD_RULE, "ruleSet names no key behind the colon; it is 'dataset', or 'dataset:KEY'.")
    return Watched(workspace, dataset_name(dataset), entity if colon and entity != ANY else None)


def _facts(body: dict[str, Any]) -> tuple[Watched, tuple[str, ...]] | None:
    """Return what the facts of `index` are of, and their columns; None where there is no `index`."""
    facts = texts(body, "index", BAD_RULE, most=MOST, longest=1_400)
    if facts is None:
        return None
    if not facts or body.get("ruleSet") is not None:
        raise Problem(BAD_RULE, "Give 'ruleSet', or 'index' with a fact at least; not both.")
    read = [_fact(fact) for fact in facts]
    first = read[0][0]
    for watched, name in read[1:]:
        if _same(watched) != _same(first):
            raise Problem(
                BAD_RULE,
                f"index: the fact '{name[:60]}' is of other records than the first; a rule judges one record "
                "at a time, so all its facts must be of one workspace, dataset and key.",
            )
    return first, tuple(name for _, name in read)


def _fact(given: str) -> tuple[Watched, str]:
    parts = given.split(":", 3)
    if len(parts) != 4 or not all(parts):
        raise Problem(BAD_RULE, f"index: {given[:80]!r} is no WORKSPACE:NAMESPACE:ENTITY:FACT.")
    workspace, namespace, entity, column = parts
    if namespace.upper() == "DATASET":
        return Watched(workspace_name(workspace), dataset_name(entity), None), column
    one = None if entity == ANY else entity
    return Watched(workspace_name(workspace), dataset_name(namespace), one), column


def _same(watched: Watched) -> tuple[str, str, str | None]:
    return fold(watched.workspace or ""), fold(watched.dataset), watched.entity


def _every(body: dict[str, Any]) -> bool:
    given = body.get("type")
    if given not in (None, "any", "all"):
        raise Problem(BAD_RULE, "type is 'any' (one condition is enough) or 'all'.")
    return given == "all"


def _tests(body: dict[str, Any], facts: tuple[str, ...]) -> tuple[Test, ...]:
    given = body.get("conditions")
    if not isinstance(given, list) or not 0 < len(given) <= MOST:
        raise Problem(BAD_RULE, f'conditions is a list of 1 to {MOST} triples such as ["price", ">", 150].')
    return tuple(_test(one, place, facts) for place, one in enumerate(given, 1))


def _test(given: object, place: int, facts: tuple[str, ...]) -> Test:
    if not isinstance(given, list) or len(given) != 3:
        raise Problem(BAD_RULE, f"Number {place} of conditions is no triple [left, operator, right].")
    left, operator, right = given
    subject = f"Number {place} of conditions"
    name = checked_text(left, f"{subject}, left,", BAD_RULE, most=256)
    column = _of_index(name, facts, place) or (None if facts else Column(name))
    if column is None:
        raise Problem(
            BAD_RULE, f"{subject}: beside 'index' the left side is written $index[0], not {name[:60]!r}."
        )
    operator = checked_text(operator, f"{subject}, operator,", BAD_RULE, most=64)
    if isinstance(right, list | dict):
        raise Problem(
            BAD_RULE, f"{subject}: the right side is {kind(right)}; it is a text, number, boolean or null."
        )
    if isinstance(right, str):
        right = _of_index(right, facts, place) or right
    return Test(column, operator, right)


def _of_index(given: str, facts: tuple[str, ...], place: int) -> Column | None:
    found = _INDEX.fullmatch(given) if facts else None
    if found is None:
        return None
    if int(found[1]) >= len(facts):
        raise Problem(
            BAD_RULE, f"Number {place} of conditions: index has no fact {found[1]}; it has {len(facts)}."
        )
    return Column(facts[int(found[1])])


def _output(body: dict[str, Any]) -> dict[str, Any]:
    given = body.get("outputs")
    if not isinstance(given, list) or len(given) != 1:
        raise Problem(BAD_RULE, 'outputs is a list of exactly one object such as {"method": "webhook", …}.')
    output = members(given[0], "output", BAD_RULE)
    if output.get("method") not in METHODS:
        shown = output.get("method")
        shown = f"'{shown[:40]}'" if isinstance(shown, str) else kind(shown)
        raise Problem(BAD_RULE, f"outputs.method is one of {', '.join(METHODS)}, not {shown}.")
    return output


def _seconds(given: object) -> int:
    """Return `frequency`, which clients send as a number or as its text."""
    if given is None:
        return 0
    if isinstance(given, str) and _SECONDS.fullmatch(given):
        given = int(given)
    if isinstance(given, bool) or not isinstance(given, int) or not 0 <= given <= _LONGEST_COOLDOWN:
        raise Problem(
            BAD_RULE, f"outputs.frequency is whole seconds between alerts, up to {_LONGEST_COOLDOWN}."
        )
    return given


def _warnings(body: dict[str, Any]) -> tuple[str, ...]:
    told = []
    if body.get("additionalKeys") or body.get("additionalIndex"):
        told.append("An alert holds the whole record that raised it; nothing of other records is added.")
    unknown = sorted(name[:60] for name in body.keys() - _KNOWN)[:20]
    if unknown:
        told.append(f"These fields are not known and change nothing: {', '.join(unknown)}.")
    return tuple(told)
