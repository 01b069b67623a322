"""Which database a process works on: PostgreSQL where the settings name one, else SQLite beside the log."""

import logging
from collections.abc import Callable

from infra.parts import Part
from infra.settings import Settings, WrongSetting
from rules.question import Bounds
from storage.analysts import Analysts
from storage.sqlite.analysts import SqliteAnalysts
from storage.sqlite.engine import SqliteStore
from storage.store import Store

logger = logging.getLogger(__name__)

DATABASE = "sluice.db"


def open_store(settings: Settings, part: Part, failed: Callable[[Exception], None] | None = None) -> Store:
    """Return the store; `part` is told how it is.

    `failed` is called, from any thread, where the disk failed in a way that leaves no honest way to go on.
    Raises: WrongSetting.
    """
    if settings.database is None:
        sqlite = SqliteStore(settings.data / DATABASE, failed)
        part.ok()
        return sqlite
    from storage.postgres.engine import BadAddress, PostgresStore  # a start on SQLite does without its driver

    def told(trouble: str | None) -> None:
        if trouble is None:
            part.ok()
            logger.info("The database answers again.", extra={"action": "store_back"})
            return
        # what is said of a connection names hosts and users, and /ready asks for no token
        part.failing("the database can't be reached; the log says why")
        logger.warning("The database can't be reached: %s", trouble, extra={"action": "store_lost"})

    try:
        postgres = PostgresStore(
            settings.database,
            writers=settings.database_writers,
            readers=settings.database_readers,
            idle_ms=settings.session // 1_000_000,
            told=told,
        )
    except BadAddress as error:
        raise WrongSetting(f"SLUICE_DATABASE is no address of a database: {error}.") from None
    part.ok()
    return postgres


def open_analysts(settings: Settings, store: Store) -> Analysts:
    """Return what answers analysts' questions about the store."""
    if settings.database is None:
        return SqliteAnalysts(store, settings.data / DATABASE, Bounds())
    from storage.postgres.analysts import PostgresAnalysts  # as above

    return PostgresAnalysts(store, settings.database, Bounds())
