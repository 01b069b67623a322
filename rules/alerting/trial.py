"""A dry run: what a rule would have raised on events given, by the same step that serves live rules."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from rules.alerting.alert import Alert
from rules.alerting.compiled import compile_rule, time_columns
from rules.alerting.instance import Instance, instance_key, key_values
from rules.alerting.machine import Cause, step
from rules.alerting.rule import Rule
from rules.condition.condition import EvaluationError
from rules.envelope import ID_FIELD, TIME_FIELD, Origin
from rules.errors import Never
from rules.limits import Limits
from rules.schema.dataset import Dataset
from rules.schema.moments import format_moment, parse_moment
from rules.schema.stored import stored_form, without_nulls

_NOWHERE: Final = 0
"""The epoch of origins that are in no log."""


@dataclass(frozen=True, slots=True)
class Trial:
    """The alerts that would have been raised, and by index the events that could not be judged, with why."""

    alerts: list[Alert]
    errors: list[tuple[int, str]]


def dry_run(
    rule: Rule, events: Sequence[Mapping[str, Any]], dataset: Dataset | None, now: int, limits: Limits
) -> Trial:
    """Judge events in their order with one rule, a paused one too.

    Events that give `_time` happen then, the others when the one before them did, at first at `now` (ns); so
    a cooldown can be tried. Time never goes back. Records are brought into the stored form of `dataset`, if
    there is one.
    """
    columns = None if dataset is None else {column.name: column.type for column in dataset.columns}
    compiled = compile_rule(rule, time_columns(columns), limits)
    instances: dict[bytes, Instance] = {}
    trial = Trial([], [])
    moment: int | None = None
    for index, event in enumerate(events):
        try:
            moment = _moment(event, moment, now)
            record = _stored(event, dataset, index, moment)
            if compiled.condition is None:
                raise EvaluationError(compiled.fault)
            if not compiled.condition.matches(record):
                continue
        except (EvaluationError, Never, ValueError) as error:
            trial.errors.append((index, str(error)))
            continue
        values = key_values(rule, record)
        key = instance_key(values)
        cause = Cause(rule.workspace, rule.on, record, Origin(_NOWHERE, 0, 0, index))
        outcome = step(rule, instances.get(key), values, cause, moment)
        if outcome.instance is not None:
            instances[key] = outcome.instance
        trial.alerts.extend(outcome.alerts)
    return trial


def _moment(event: Mapping[str, Any], before: int | None, now: int) -> int:
    given = event.get(TIME_FIELD)
    if not isinstance(given, str):
        return now if before is None else before
    return parse_moment(given) if before is None else max(before, parse_moment(given))


def _stored(event: Mapping[str, Any], dataset: Dataset | None, index: int, now: int) -> dict[str, Any]:
    record = {name: value for name, value in event.items() if name not in (ID_FIELD, TIME_FIELD)}
    if dataset is not None and record.keys() <= dataset.by_name.keys():
        stored, bad = stored_form(dataset, [record])
        if bad:
            raise bad[0]
        record = stored[0]
    record = {**without_nulls(record), ID_FIELD: Origin(_NOWHERE, 0, 0, index).text()}
    if dataset is None or dataset.date is None:
        record[TIME_FIELD] = format_moment(now)
    return record
