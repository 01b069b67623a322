"""A database that nobody else can commit to for a while."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from sqlalchemy import Connection

from infra.database import DATABASE
from storage.sql import is_postgres
from tests.stage.postgres import database_of
from tests.stage.postgres import run as run_there

LOCK_ALL = b"""
    DO $$ DECLARE own text; BEGIN
        FOR own IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' LOOP
            EXECUTE format('LOCK TABLE public.%I IN SHARE MODE', own);
        END LOOP;
    END $$
"""
"""Locks every table against writers; readers go on."""


def on_postgres(data: Path) -> bool:
    """Return whether the broker in `data` keeps its store on PostgreSQL."""
    return database_of(data) is not None


@contextmanager
def locked(data: Path) -> Iterator[None]:
    """Hold the write lock of the broker's database in `data`; readers go on."""
    postgres = database_of(data)
    if postgres is not None:
        with psycopg.connect(postgres) as held:
            held.execute(LOCK_ALL)
            yield
        return
    lock = sqlite3.connect(data / DATABASE, isolation_level=None, timeout=10)
    lock.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        lock.rollback()
        lock.close()


def run(data: Path, statement: str) -> None:
    """Run one statement in the database, beside the broker."""
    postgres = database_of(data)
    if postgres is not None:
        run_there(postgres, statement)
        return
    database = sqlite3.connect(data / DATABASE, timeout=10)
    try:
        database.execute(statement)
        database.commit()
    finally:
        database.close()


def refuse(data: Path, table: str, column: str, value: str | int) -> None:
    """Have the database refuse rows of a table that hold this value, for good."""
    literal = f"'{value}'" if isinstance(value, str) else str(value)
    if on_postgres(data):
        run(data, f"ALTER TABLE {table} ADD CHECK ({column} <> {literal})")
    else:
        refusal = f"WHEN NEW.{column} = {literal} BEGIN SELECT RAISE(ABORT, 'no'); END"
        run(data, f"CREATE TRIGGER no_{table} BEFORE INSERT ON {table} {refusal}")


def hold(c: Connection, table: str) -> None:
    """Have the database refuse every change of a table, with the word `held`."""
    if not is_postgres(c):
        refusal = f"BEFORE UPDATE ON {table} BEGIN SELECT RAISE(ABORT, 'held'); END"
        c.exec_driver_sql(f"CREATE TRIGGER held {refusal}").close()
        return
    body = "$$ BEGIN RAISE EXCEPTION 'held'; END $$"
    c.exec_driver_sql(f"CREATE FUNCTION held() RETURNS trigger LANGUAGE plpgsql AS {body}").close()
    c.exec_driver_sql(f"CREATE TRIGGER held BEFORE UPDATE ON {table} EXECUTE FUNCTION held()").close()
