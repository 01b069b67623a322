"""Which columns make a record's identity, as a declaration maps them."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from rules.errors import BAD_MAPPING, PARTITION_NOT_IN_KEY, Problem
from rules.limits import Limits
from rules.schema.columns import shape_of
from rules.schema.dataset import Column, ColumnType
from rules.schema.values import quoted


class Identity(NamedTuple):
    """The key's columns (key, then subkey, then date), and which of them are the subkey and the date."""

    key: tuple[str, ...] = ()
    subkey: str | None = None
    date: str | None = None


def read_mapping(body: object, columns: Mapping[str, Column], limits: Limits) -> Identity:
    """Return the identity that `{key, subkey?, date?}` maps; None or `{}` maps none.

    `key` is a column or a list of columns; one that is mapped twice counts where it stands first.

    Raises: Problem(bad_mapping).
    """
    if body is None:
        return Identity()
    if not isinstance(body, dict):
        raise _bad("columnMapping must be an object with key, subkey and date.")
    for word in body:
        if word not in ("key", "subkey", "date"):
            raise _bad(f"columnMapping has key, subkey and date; {quoted(word)} came.")
    given = body.get("key")
    listed = given if isinstance(given, list) else [] if given is None else [given]
    keys = [_column("key", name, columns) for name in listed]
    if len(set(keys)) < len(keys):
        raise _bad("key names a column twice.")
    subkey = None if body.get("subkey") is None else _column("subkey", body["subkey"], columns)
    date = None if body.get("date") is None else _column("date", body["date"], columns)
    names = tuple(dict.fromkeys(name for name in (*keys, subkey, date) if name is not None))
    if len(names) > limits.key_columns:
        raise _bad(f"The key has {len(names)} columns; {limits.key_columns} are allowed.")
    if date is not None and columns[date].type not in (ColumnType.DATE, ColumnType.DATETIME):
        raise _bad(f"The date column {quoted(date)} must be a string of format date or date-time.")
    return Identity(names, subkey, date)


def read_partition(body: object, identity: Identity, schema: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the columns of `partitionBy`: some of the key, or required ones where there is no key.

    Raises: Problem(partition_not_in_key).
    """
    if body is None or body == []:
        return ()
    names = [body] if isinstance(body, str) else body
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise _not_in_key("it must be a list of column names")
    if len(set(names)) < len(names):
        raise _not_in_key("it names a column twice")
    for name in names:
        if identity.key and name not in identity.key:
            raise _not_in_key(f"{quoted(name)} is not one of the key's columns ({', '.join(identity.key)})")
        if not identity.key and not _always_there(name, schema):
            raise _not_in_key(f"{quoted(name)} is not a required column that is never null")
    return tuple(names)


def _always_there(name: str, schema: Mapping[str, Any]) -> bool:
    shape = shape_of(schema.get("properties", {}).get(name), schema)
    return name in schema.get("required", ()) and not shape.nullable and not shape.type.nested


def _column(role: str, name: object, columns: Mapping[str, Column]) -> str:
    if not isinstance(name, str):
        raise _bad(f"{role} must be the name of a column{' or a list of names' if role == 'key' else ''}.")
    column = columns.get(name)
    if column is None:
        raise _bad(f"{role} names {quoted(name)}, which is not among the schema's properties.")
    if column.type.nested or column.type is ColumnType.UNTYPED:
        raise _bad(f"{role} names {quoted(name)}, which must be a text, number, boolean, date or date-time.")
    return name


def _bad(what: str) -> Problem:
    return Problem(BAD_MAPPING, f"The column mapping can't be taken. {what[:1].upper()}{what[1:]}")


def _not_in_key(what: str) -> Problem:
    return Problem(PARTITION_NOT_IN_KEY, f"partitionBy can't be taken: {what}.")
