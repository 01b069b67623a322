"""How a dataset comes to be: declared by a caller, or made on demand by its first records."""

from collections.abc import Mapping
from typing import Any, Final

from rules.errors import BAD_PARAMETER, BAD_REQUEST, BAD_SCHEMA, Problem
from rules.limits import Limits
from rules.names import dataset_name, fold, workspace_name
from rules.schema.columns import schema_of, shape_of
from rules.schema.dataset import Column, Dataset, Mode
from rules.schema.evolve import NOTHING, Additions, evolve
from rules.schema.mapping import read_mapping, read_partition
from rules.schema.moments import parse_duration
from rules.schema.values import shown
from rules.schema.vet import ensure_checkable, vet_schema

_TITLE_CHARS: Final = 256


def declare(workspace: str, body: object, dataset_id: int, limits: Limits | None = None) -> Dataset:
    """Return version 1 of the dataset that a POST body declares (the contract, section 4).

    `{datasetId, title?, schema?, columnMapping?, mode?, partitionBy?, retention?}`, alone or under
    `dataset`. The mode is `strict` unless given; without a schema `evolve`, with no columns yet.

    Raises: Problem: bad_request, bad_name, bad_parameter, bad_schema, bad_mapping, partition_not_in_key.
    """
    limits = limits or Limits()
    given = declaration(body)
    workspace = workspace_name(workspace)
    name = given.get("datasetId")
    if not isinstance(name, str):
        raise Problem(BAD_REQUEST, f"datasetId must be the dataset's name; {shown(name)} came.")
    name = dataset_name(name)
    schema = given.get("schema")
    mode = read_mode(given.get("mode")) or ("evolve" if schema is None else "strict")
    if schema is None and mode == "strict":
        raise Problem(BAD_SCHEMA, "A strict dataset needs a schema; give one, or mode evolve.")
    checked = schema_of({}) if schema is None else vet_schema(schema, mode, limits)
    columns = tuple(
        Column(property_name, shape_of(declared, checked).type, ordinal)
        for ordinal, (property_name, declared) in enumerate(checked["properties"].items(), start=1)
    )
    identity = read_mapping(given.get("columnMapping"), {column.name: column for column in columns}, limits)
    dataset = Dataset(
        id=dataset_id,
        workspace=workspace,
        name=name,
        version=1,
        schema=checked,
        columns=columns,
        mode=mode,
        key=identity.key,
        subkey=identity.subkey,
        date=identity.date,
        partition_by=read_partition(given.get("partitionBy"), identity, checked),
        title=read_title(given.get("title")),
        retention=read_retention(given.get("retention")),
        made_as=fold(name),
        declared=True,
    )
    return ensure_checkable(dataset, limits)


def on_demand(
    workspace: str,
    name: str,
    dataset_id: int,
    additions: Additions = NOTHING,
    *,
    key: tuple[str, ...] = (),
    date: str | None = None,
    labels: Mapping[str, str] | None = None,
) -> Dataset:
    """Return version 1 of a dataset that nobody declared: in `evolve` mode, with inferred columns.

    Without `additions` it is the empty dataset against which the first records are checked. A key and a
    date column are never inferred; doors whose records bring them (InfluxDB's tags and time) give them.

    Raises: Problem(bad_name).
    """
    empty = Dataset(
        id=dataset_id,
        workspace=workspace_name(workspace),
        name=name if labels else dataset_name(name),
        version=0,
        schema=schema_of({}),
        columns=(),
        mode="evolve",
        key=key,
        date=date,
        made_as=fold(name),
        labels=labels or {},
    )
    return evolve(empty, additions)


def declaration(body: object) -> dict[str, Any]:
    """Return a body's declaration, which may stand under `dataset`.

    Raises: Problem(bad_request) where it is no object.
    """
    given = body.get("dataset", body) if isinstance(body, dict) else body
    if not isinstance(given, dict):
        raise Problem(
            BAD_REQUEST, f'The body must be an object like {{"dataset": {{…}}}}; {shown(given)} came.'
        )
    return given


def read_mode(given: object) -> Mode | None:
    """Return a mode that was given, None where none was. Raises: Problem(bad_parameter)."""
    if given is None or given == "strict" or given == "evolve":
        return given
    raise Problem(BAD_PARAMETER, f"mode must be strict or evolve; {shown(given)} came.")


def read_title(given: object) -> str:
    """Return a title; none is the empty one. Raises: Problem(bad_parameter)."""
    if given is None:
        return ""
    if not isinstance(given, str) or len(given) > _TITLE_CHARS:
        raise Problem(BAD_PARAMETER, f"title must be a text of at most {_TITLE_CHARS} characters.")
    return given


def read_retention(given: object) -> str | None:
    """Return how long records are kept, as given (`90d`), None for ever. Raises: Problem(bad_parameter)."""
    if given is None:
        return None
    try:
        if not isinstance(given, str):
            raise ValueError(f"{shown(given)} came.")
        if not parse_duration(given):
            raise ValueError("It must be longer than nothing.")
    except ValueError as error:
        raise Problem(BAD_PARAMETER, f'retention must be a duration like "90d". {error}') from None
    return given
