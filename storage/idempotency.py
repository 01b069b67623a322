"""Claims: an Idempotency-Key, the write it stands for, and what was answered the first time."""

from hashlib import blake2b
from typing import Final, NamedTuple

from sqlalchemy import BigInteger, Connection, delete, select, tuple_
from sqlmodel import Field, SQLModel

from storage.sql import from_text, table, to_text, upsert


class ClaimRow(SQLModel, table=True):
    __tablename__ = "claim"

    scope: str = Field(primary_key=True)
    key: str = Field(primary_key=True)
    write_id: str
    hash: bytes
    refusals: str
    at: int = Field(sa_type=BigInteger, index=True)


CLAIM = table(ClaimRow)
STEP: Final = 5_000
"""Claims that one step of forgetting takes."""

LONGEST_SCOPE: Final = 512
"""Characters of a scope kept as they are; of a longer one a hash: databases bound what they index."""


class Claim(NamedTuple):
    """`scope` is workspace and path; `hash` that of the body and every parameter but wait and timeout.

    `refusals` is what was refused the first time: for each draft the indexes (`refused`), how many in all
    (`rejected`), and the first with their words (`errors`). A repeat leaves those records out and says so.
    """

    scope: str
    key: str
    write_id: str
    hash: bytes
    refusals: dict[str, object]
    at: int


def find(connection: Connection, scope: str, key: str, since: int) -> Claim | None:
    """Return the claim on this key, if it was made after `since` (ns)."""
    where = (CLAIM.c.scope == _indexed(scope)) & (CLAIM.c.key == key) & (CLAIM.c.at > since)
    row = connection.execute(select(CLAIM).where(where)).mappings().first()
    if row is None:
        return None
    return Claim(**{**row, "scope": scope, "refusals": from_text(row["refusals"])})


def claim(connection: Connection, mine: Claim, since: int) -> Claim:
    """Insert a claim and return it, or return the one that was there first."""
    scope = _indexed(mine.scope)
    old = (CLAIM.c.scope == scope) & (CLAIM.c.key == mine.key) & (CLAIM.c.at <= since)
    connection.execute(delete(CLAIM).where(old))
    row = {**mine._asdict(), "scope": scope, "refusals": to_text(mine.refusals)}
    connection.execute(upsert(connection, CLAIM).values(row).on_conflict_do_nothing())
    found = find(connection, mine.scope, mine.key, since)
    assert found is not None
    return found


def prune(connection: Connection, before: int) -> int:
    """Forget claims made before this time (ns): one step of it; return how many went."""
    old = select(CLAIM.c.scope, CLAIM.c.key).where(CLAIM.c.at < before).limit(STEP)
    return connection.execute(delete(CLAIM).where(tuple_(CLAIM.c.scope, CLAIM.c.key).in_(old))).rowcount


def _indexed(scope: str) -> str:
    if len(scope) <= LONGEST_SCOPE and "\x00" not in scope:
        return scope
    return blake2b(scope.encode(errors="surrogatepass"), digest_size=32).hexdigest()
