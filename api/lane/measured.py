"""Points on their way into the dataset of their measurement: the decisions, without the catalogue."""

from dataclasses import replace
from typing import Final

from api.lane.admitted import Admitted
from api.lane.door import Draft, Points
from rules.limits import Limits
from rules.schema.dataset import ColumnType, Dataset
from rules.schema.declare import on_demand
from rules.schema.evolve import Additions, NewType, evolve
from rules.schema.fitting import Fitted, fit, tables_of
from rules.schema.points import TIME, joined, records_of

_STAMPED: Final = Additions(columns=(NewType(TIME, ColumnType.DATETIME),))


def of_another(dataset: Dataset | None, points: Points) -> bool:
    """Return whether a dataset belongs to another measurement, whose name differs in case only."""
    return dataset is not None and dataset.measured and dict(dataset.labels) != points.labels


def takes_points(dataset: Dataset) -> bool:
    """Return whether points are fitted to it; others it checks as it does any record."""
    return dataset.measured and not dataset.declared and dataset.mode == "evolve"


def new_measurement(workspace: str, name: str, points: Points) -> Dataset:
    """Return the dataset of a measurement before its first point: its only column and key is the time."""
    return on_demand(workspace, name, 0, _STAMPED, key=(TIME,), date=TIME, labels=points.labels)


def made_measurement(blank: Dataset, additions: Additions) -> Dataset:
    """Return the first version of a measurement's dataset."""
    return evolve(replace(blank, version=0), additions)


def fitting_points(dataset: Dataset, draft: Draft, points: Points, limits: Limits) -> Admitted | None:
    """Return points that need nothing of the catalogue, none of which is refused; else None."""
    if of_another(dataset, points) or not takes_points(dataset):
        return None
    fitted = fit(dataset, points.blocks, limits)
    if fitted.additions or fitted.refusals.count:
        return None
    return admitted_points(draft.dataset, dataset, fitted)


def admitted_points(name: str, dataset: Dataset, fitted: Fitted) -> Admitted:
    """Return what became of points."""
    refusals = fitted.refusals
    return Admitted(name, dataset, [], None, refusals.count, refusals.first, fitted.tables)


def published_points(name: str, dataset: Dataset | None, points: Points) -> Admitted:
    """Return points that are published only, unchecked."""
    return Admitted(name, dataset, [], None, 0, [], list(joined(tables_of(dataset, points.blocks))))


def as_records(draft: Draft, points: Points, dataset: Dataset | None) -> Draft:
    """Return points as records, in the order of their lines."""
    tables = list(joined(tables_of(dataset, points.blocks)))
    records = [record for table in tables for record in records_of(table.names, table.columns)]
    lines = [line for table in tables for line in table.lines]
    return Draft(draft.dataset, records, plain=False, indexes=lines, size=draft.size)
