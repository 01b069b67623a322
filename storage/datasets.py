"""The catalogue: workspaces, datasets and their versions, changed by compare-and-set."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, delete, select, update
from sqlmodel import Field, SQLModel

from rules.names import fold
from rules.schema.dataset import Column, ColumnType, Dataset
from storage import tables
from storage.revision import raise_revision
from storage.sql import NEVER_AGAIN, Big, Row, Serial, from_text, table, to_text, upsert
from storage.views import drop_view, grow_view, make_view, rename_view


class WorkspaceRow(SQLModel, table=True):
    __tablename__ = "workspace"

    folded: str = Field(primary_key=True)
    name: str
    made_at: Big


class DatasetRow(SQLModel, table=True):
    """`live` is `workspace/dataset`, folded, while the dataset answers to its name; None once it is gone."""

    __tablename__ = "dataset"
    __table_args__ = NEVER_AGAIN

    id: int | None = Field(default=None, primary_key=True, sa_type=Serial)
    live: str | None = Field(default=None, unique=True)
    workspace: str = Field(index=True)
    name: str
    version: int
    definition: str
    made_at: Big


class EndedRow(SQLModel, table=True):
    """The partitions in which a dataset's end has been applied."""

    __tablename__ = "dataset_ended"

    dataset_id: int = Field(primary_key=True)
    partition: int = Field(primary_key=True)


WORKSPACE = table(WorkspaceRow)
DATASET = table(DatasetRow)
ENDED = table(EndedRow)


def ensure_workspace(connection: Connection, name: str, now: int) -> None:
    """Make the workspace if it is not there."""
    row = {"folded": fold(name), "name": name, "made_at": now}
    connection.execute(upsert(connection, WORKSPACE).values(row).on_conflict_do_nothing())


def workspaces(connection: Connection) -> list[str]:
    """Return the names of all workspaces, folded."""
    return list(connection.execute(select(WORKSPACE.c.folded)).scalars())


def find(connection: Connection, workspace: str, name: str) -> Dataset | None:
    """Return the dataset that answers to this name now."""
    query = select(DATASET).where(DATASET.c.live == _live(workspace, name))
    row = connection.execute(query).mappings().first()
    return None if row is None else _dataset(row)


def by_id(connection: Connection, dataset_id: int) -> Dataset | None:
    """Return a dataset by its immutable id, also one that is being deleted, until its table is dropped."""
    row = connection.execute(select(DATASET).where(DATASET.c.id == dataset_id)).mappings().first()
    return None if row is None else _dataset(row)


def listing(connection: Connection, workspace: str | None = None) -> list[Dataset]:
    """Return the datasets that answer to a name, of one workspace or all, by name."""
    query = select(DATASET).where(DATASET.c.live.is_not(None))
    if workspace is not None:
        query = query.where(DATASET.c.workspace == fold(workspace))
    # sorted here: databases differ in how they order texts
    rows = sorted(connection.execute(query).mappings(), key=lambda row: str(row["live"]))
    return [_dataset(row) for row in rows]


def has_any(connection: Connection, workspace: str) -> bool:
    """Return whether any dataset of the workspace answers to a name."""
    query = select(DATASET.c.id).where(DATASET.c.workspace == fold(workspace), DATASET.c.live.is_not(None))
    return connection.execute(query.limit(1)).scalar() is not None


def mentioned(connection: Connection, workspace: str, words: str) -> list[Dataset]:
    """Return the datasets of a workspace whose name stands somewhere in a text, by id."""
    query = select(DATASET.c.id, DATASET.c.name).where(
        DATASET.c.workspace == fold(workspace), DATASET.c.live.is_not(None)
    )
    folded = fold(words)
    ids = sorted(row.id for row in connection.execute(query) if fold(row.name) in folded)
    found = (by_id(connection, dataset_id) for dataset_id in ids)
    return [dataset for dataset in found if dataset is not None]


def every(connection: Connection) -> list[Dataset]:
    """Return all datasets that have a table, by id: also those that answer to no name any more."""
    rows = connection.execute(select(DATASET).order_by(DATASET.c.id)).mappings()
    return [_dataset(row) for row in rows]


def add(connection: Connection, dataset: Dataset, now: int) -> Dataset | None:
    """Make the dataset with its table; its id is given here. None where the name is taken."""
    ensure_workspace(connection, dataset.workspace, now)
    live = _live(dataset.workspace, dataset.name)
    row = {
        "live": live,
        "workspace": fold(dataset.workspace),
        "name": dataset.name,
        "version": dataset.version,
        "definition": "",
        "made_at": now,
    }
    if find(connection, dataset.workspace, dataset.name) is not None:
        return None
    # another process may make it at this moment
    taking = upsert(connection, DATASET).values(row).on_conflict_do_nothing().returning(DATASET.c.id)
    given = connection.execute(taking).scalar()
    if given is None:
        return None
    made = from_json(given, to_json(dataset))
    connection.execute(
        update(DATASET).where(DATASET.c.id == made.id).values(definition=to_text(to_json(made)))
    )
    tables.create(connection, made)
    make_view(connection, made)
    raise_revision(connection, "datasets")
    return made


def replace(connection: Connection, old: Dataset, new: Dataset) -> bool:
    """Put `new` in the place of `old` if that is still the version stored; else change nothing."""
    if not put_version(connection, old, new):
        return False
    _widen(connection, old, new)
    return True


def put_version(connection: Connection, old: Dataset, new: Dataset) -> bool:
    """Do as `replace` does, for who sees to the dataset's table and view."""
    changed = connection.execute(
        update(DATASET)
        .where((DATASET.c.id == old.id) & (DATASET.c.version == old.version) & DATASET.c.live.is_not(None))
        .values(
            live=_live(new.workspace, new.name),
            name=new.name,
            version=new.version,
            definition=to_text(to_json(new)),
        )
    )
    if changed.rowcount == 1:
        raise_revision(connection, "datasets")
    return changed.rowcount == 1


def rename(connection: Connection, old: Dataset, new: Dataset) -> bool:
    """Put `new`, which has another name, in the place of `old` if that is still the version stored.

    The name must be free: nobody else answers to it.
    """
    if not put_version(connection, old, new):
        return False
    rename_view(connection, old, new)
    return True


def _widen(connection: Connection, old: Dataset, new: Dataset) -> None:
    if tables.widened(connection, old, new):  # no view may show a column whose type changes
        drop_view(connection, old)
        tables.widen(connection, old, new)
        make_view(connection, new)
    elif tables.missing(old, new):
        tables.widen(connection, old, new)
        grow_view(connection, new)


def retire(connection: Connection, dataset: Dataset) -> bool:
    """Take the dataset's name away: nobody finds it any more, what is in the log is still applied."""
    changed = connection.execute(
        update(DATASET)
        .where((DATASET.c.id == dataset.id) & DATASET.c.live.is_not(None))
        .values(live=None, version=DATASET.c.version + 1)
    )
    if changed.rowcount != 1:
        return False
    drop_view(connection, dataset)
    raise_revision(connection, "datasets")
    return True


def end(connection: Connection, dataset: Dataset, partition: int, of: int) -> None:
    """Note that the dataset ended in a partition; with the last of its `of` partitions drop its table.

    The note stays: records may still come behind the end.
    """
    row = {"dataset_id": dataset.id, "partition": partition}
    # one partition at a time, or none of those that end at once would see the others' notes
    connection.execute(select(DATASET.c.id).where(DATASET.c.id == dataset.id).with_for_update())
    connection.execute(upsert(connection, ENDED).values(row).on_conflict_do_nothing())
    ended = connection.execute(select(ENDED).where(ENDED.c.dataset_id == dataset.id)).all()
    if len(ended) == of:
        tables.drop(connection, dataset)
        connection.execute(delete(DATASET).where(DATASET.c.id == dataset.id))


def retired(connection: Connection) -> list[Dataset]:
    """Return the datasets that answer to no name any more and have not ended in all their partitions."""
    query = select(DATASET).where(DATASET.c.live.is_(None)).order_by(DATASET.c.id).limit(100)
    return [_dataset(row) for row in connection.execute(query).mappings()]


def ended_of(connection: Connection, ids: Sequence[int], partition: int) -> set[int]:
    """Return those of the datasets whose end has been applied in the partition."""
    where = ENDED.c.dataset_id.in_(ids) & (ENDED.c.partition == partition)
    return set(connection.execute(select(ENDED.c.dataset_id).where(where)).scalars()) if ids else set()


def has_ended(connection: Connection, dataset_id: int, partition: int) -> bool:
    """Return whether the dataset's end has been applied in the partition."""
    return bool(ended_of(connection, [dataset_id], partition))


def _live(workspace: str, name: str) -> str:
    return f"{fold(workspace)}/{fold(name)}"


def to_json(dataset: Dataset) -> Mapping[str, Any]:
    """Return the catalogue entry as it is kept."""
    return {
        "workspace": dataset.workspace,
        "name": dataset.name,
        "version": dataset.version,
        "schema": dataset.schema,
        "columns": [[c.name, c.type.value, c.ordinal, c.wide] for c in dataset.columns],
        "mode": dataset.mode,
        "key": dataset.key,
        "subkey": dataset.subkey,
        "date": dataset.date,
        "partitionBy": dataset.partition_by,
        "title": dataset.title,
        "retention": dataset.retention,
        "madeAs": dataset.made_as,
        "declared": dataset.declared,
        "labels": dataset.labels,
        "spent": dataset.spent,
        "carried": dataset.carried,
        "former": dataset.former,
    }


def from_json(dataset_id: int, body: Mapping[str, Any]) -> Dataset:
    """Return the catalogue entry that `to_json` made."""
    return Dataset(
        id=dataset_id,
        workspace=body["workspace"],
        name=body["name"],
        version=body["version"],
        schema=body["schema"],
        columns=tuple(Column(n, ColumnType(t), o, w) for n, t, o, w in body["columns"]),
        mode=body["mode"],
        key=tuple(body["key"]),
        subkey=body["subkey"],
        date=body["date"],
        partition_by=tuple(body["partitionBy"]),
        title=body["title"],
        retention=body["retention"],
        made_as=body["madeAs"],
        declared=body["declared"],
        labels=body["labels"],
        spent=body["spent"],
        carried=body.get("carried", 0),
        former=tuple(body.get("former", ())),
    )


def _dataset(row: Row) -> Dataset:
    return from_json(row["id"], from_text(row["definition"]))
