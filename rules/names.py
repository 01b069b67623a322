"""The naming law: which names workspaces, datasets and properties may have, and how they compare."""

import re
from hashlib import blake2b
from typing import Final

from rules.errors import BAD_NAME, Problem

_NAME = re.compile(r"[A-Za-z0-9_]{1,64}", re.ASCII)
_FOREIGN = re.compile(r"[^A-Za-z0-9]", re.ASCII)
_NAME_CHARS: Final = 64
_ID = re.compile(r"[A-Za-z0-9_.:-]{1,128}", re.ASCII)

RESERVED_WORKSPACES: Final = frozenset(
    {"create", "pause", "resume", "delete", "info", "output", "schema", "lookup"}
)
DEFAULT_WORKSPACE: Final = "default"
"""Where an administrator is who names no workspace, at the doors of systems that have none."""
SYSTEM_FIELDS: Final = frozenset({"_id", "_time"})


def fold(name: str) -> str:
    """Return the form under which names are compared: workspaces and datasets match without case."""
    return name.lower()


def workspace_name(name: str) -> str:
    """Return `name` if a workspace may have it.

    Raises: Problem(bad_name).
    """
    _check("workspace", name)
    if fold(name) in RESERVED_WORKSPACES:
        raise Problem(BAD_NAME, f"The workspace name {name!r} is a reserved word; choose another.")
    return name


def dataset_name(name: str) -> str:
    """Return `name` if a dataset may have it.

    Raises: Problem(bad_name).
    """
    _check("dataset", name)
    return name


def mapped_dataset(bucket: str, measurement: str) -> str:
    """Return the name of the dataset that holds an InfluxDB bucket's measurement.

    Every byte but ASCII letters and digits is written `_HH_`, so that the names can be read back; what is
    longer than a name may be is cut and ends in a hash. Such a name may begin with `_`.
    """
    name = f"{_mapped(bucket)}__{_mapped(measurement)}"
    return name if len(name) <= _NAME_CHARS else _hashed(name, bucket, measurement)


def mapped_apart(bucket: str, measurement: str) -> str:
    """Return the name where another measurement has the one of `mapped_dataset`: they differ in case only."""
    return _hashed(f"{_mapped(bucket)}__{_mapped(measurement)}", bucket, measurement)


def mapped_workspace(organization: str) -> str:
    """Return the workspace of an InfluxDB organization: its name, or as in `mapped_dataset` if it is none."""
    if _NAME.fullmatch(organization) and not organization.startswith("_"):
        return organization
    name = _mapped(organization)
    name = f"o{name}" if name.startswith("_") else name
    return name if len(name) <= _NAME_CHARS else _hashed(name, organization)


def _mapped(name: str) -> str:
    return _FOREIGN.sub(lambda found: "".join(f"_{byte:02X}_" for byte in found[0].encode()), name)


def _hashed(name: str, *parts: str) -> str:
    digest = blake2b("\x00".join(parts).encode(), digest_size=8).hexdigest()
    return f"{name[: _NAME_CHARS - 17]}_{digest}"


def rule_id(name: str) -> str:
    """Return `name` if a rule may have it as its id.

    Raises: Problem(bad_name).
    """
    if not _ID.fullmatch(name):
        raise Problem(
            BAD_NAME, f"The rule id {name[:80]!r} is not 1 to 128 of A-Z, a-z, 0-9, '_', '.', ':' and '-'."
        )
    if name in (".", ".."):  # in a path these are steps, which clients take before they send it
        raise Problem(BAD_NAME, f"The rule id {name!r} means a place in a path; choose another.")
    return name


def _check(kind: str, name: str) -> None:
    if not _NAME.fullmatch(name):
        raise Problem(BAD_NAME, f"The {kind} name {name[:80]!r} is not 1 to 64 of A-Z, a-z, 0-9 and '_'.")
    if name.startswith("_"):
        raise Problem(BAD_NAME, f"The {kind} name {name!r} starts with '_', which is reserved.")


def field_problem(name: str) -> str | None:
    """Return why a property may not have this name, or None if it may.

    A property name is any Unicode text of 1 to 256 characters that does not start with `_` and holds
    no U+0000 and no lone surrogate.
    """
    if not name:
        return "a property name is empty"
    if len(name) > 256:
        return f"the property name {name[:40]!r}… has {len(name)} characters; 256 are allowed"
    if name[0] == "_":
        return f"the property name {name!r} starts with '_', which is reserved"
    if "\x00" in name:
        return "a property name holds U+0000"
    return None
