"""`sluice check`: what is wrong with settings, log and database, without starting the broker."""

import shutil
import time
from typing import Final

from sqlalchemy import Connection, inspect

from infra.carrier import EMBEDDED
from infra.database import DATABASE, open_store
from infra.parts import Part
from infra.settings import Settings
from rules.errors import Later
from storage import identity, offsets
from storage.adoption import adopt as adopt_log
from storage.sql import is_postgres
from streams.awaiting import on_loop
from streams.embedded.identity import has_log
from streams.embedded.log import EmbeddedLog, LogPlan
from streams.log import Log, LogError, LogLocked
from streams.topics import EVENTS, TOPICS, WRITES

READS: Final = {"persist": WRITES, "judge": EVENTS}
"""The topic that a role reads; other roles' places are in no topic."""


async def problems_with(settings: Settings, adopt: str | None = None) -> list[str]:
    """Return a sentence for each thing that is wrong; empty where nothing is.

    `adopt` is the identity of the log that the database is to go on with.
    """
    found = _settings(settings)
    if settings.log != EMBEDDED:
        from infra.on_kafka import kafka_findings  # not read where nothing needs it

        return found + await kafka_findings(settings, lambda log: _database(settings, log, adopt))
    directory = settings.data / "log"
    if not has_log(directory):  # to open it would be to make one, and to fix its partitions for good
        return found + await _without_log(settings)
    plan = LogPlan(directory, TOPICS, settings.partitions)
    try:
        log = await EmbeddedLog.open(plan, lambda: time.time_ns() // 1_000_000)
    except LogLocked:
        return found  # a broker runs on it, so it is whole
    except LogError as error:
        return [*found, f"log: {error}"]
    try:
        found += await _database(settings, log, adopt)
    finally:
        await log.close()
    return found


def _settings(settings: Settings) -> list[str]:
    found = []
    if not settings.loopback and settings.tls_cert is None:
        found.append(
            f"settings: listening on {settings.host} without TLS; set SLUICE_TLS_CERT and SLUICE_TLS_KEY, or "
            f"put a proxy in front."
        )
    if not settings.auth:
        found.append("settings: SLUICE_AUTH is off; everybody on this machine administers the broker.")
    if settings.allow_private_targets:
        found.append("settings: SLUICE_ALLOW_PRIVATE_TARGETS is on; webhooks may reach this host's network.")
    here = settings.data if settings.data.exists() else settings.data.absolute().parent
    while not here.exists():
        here = here.parent
    free = shutil.disk_usage(here).free
    if free < settings.free_disk:
        found.append(f"disk: {free} bytes are free; writes are refused below {settings.free_disk}.")
    return found


async def _database(settings: Settings, log: Log, adopt: str | None) -> list[str]:
    if settings.database is None and not (settings.data / DATABASE).exists():
        return []
    store = open_store(settings, Part(time.monotonic))
    try:
        if adopt == log.identity:
            await on_loop(store.write(lambda c: adopt_log(c, log.identity, log.partitions, time.time_ns())))
        elif adopt is not None:
            return [f"log: the log in {settings.data} is {log.identity}, not {adopt}; nothing was adopted."]
        return await on_loop(store.read(lambda c: _compare(c, log)))
    except Later as error:
        return [f"database: it can't be read now: {error}."]
    finally:
        store.close()


async def _without_log(settings: Settings) -> list[str]:
    """Say what is wrong where no log is, or was, in the data directory."""
    if not (settings.data / DATABASE).exists():
        return []
    store = open_store(settings, Part(time.monotonic))
    try:
        known = await on_loop(store.read(_identity))
    except Later as error:
        return [f"database: it can't be read now: {error}."]
    finally:
        store.close()
    if known is None:
        return []
    return [
        f"log: the database in {settings.data} belongs to the log {known}, and no log is there; restore both "
        "from one backup."
    ]


def durability(c: Connection) -> list[str]:
    """Say which settings of a PostgreSQL server let a crash lose what was committed."""
    off = [n for n in ("fsync", "full_page_writes") if c.exec_driver_sql(f"SHOW {n}").scalar_one() == "off"]
    return [f"database: the server's {name} is off; a crash may lose what was stored." for name in off]


def writability(c: Connection) -> list[str]:
    """Say why a PostgreSQL database takes no writes, where it takes none."""
    if c.exec_driver_sql("SELECT pg_is_in_recovery()").scalar_one():
        return ["database: it is a standby; nothing is stored until it is promoted, or another one is named."]
    if c.exec_driver_sql("SHOW default_transaction_read_only").scalar_one() == "on":
        return ["database: default_transaction_read_only is on; nothing is stored until it is off there."]
    return []


def roles(c: Connection) -> list[str]:
    """Say so where our user of PostgreSQL can't let analysts in."""
    from storage.postgres.roles import may_make_roles  # a check on SQLite does without its driver

    if may_make_roles(c):
        return []
    user = c.exec_driver_sql("SELECT quote_ident(current_user)").scalar_one()
    return [
        f"database: the user {user} may not make roles, so /v1/sql is refused; run ALTER ROLE {user} "
        "CREATEROLE as a superuser, or do without it."
    ]


def _identity(c: Connection) -> str | None:
    """Return which log the database belongs to; none where no broker was started on it yet."""
    return identity.current(c) if inspect(c).has_table(identity.LOG.name) else None


def _compare(c: Connection, log: Log) -> list[str]:
    found = [*durability(c), *writability(c), *roles(c)] if is_postgres(c) else []
    if not inspect(c).has_table(identity.LOG.name):
        return found  # no broker was started on it yet
    known = identity.current(c)
    if known is not None and known != log.identity:
        found.append(f"log: the database belongs to the log {known}, this one is {log.identity}.")
    for place in offsets.places(c, log.identity):
        if place.role not in READS:
            continue
        topic = READS[place.role]
        start, end = log.bounds(topic, place.partition)
        if not start <= place.next <= end:
            found.append(
                f"{place.role}: partition {place.partition} is applied up to {place.next}, but the log holds "
                f"{start} to {end}; restore both from one backup."
            )
    return found
