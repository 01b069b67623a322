"""Tokens, by the hash of their secret."""

from typing import Any

from sqlalchemy import Connection, delete, insert, select, update
from sqlmodel import Field, SQLModel

from rules.names import fold
from rules.token import Token
from storage.revision import raise_revision, revisions
from storage.sql import Big, Row, from_text, table, to_text, upsert


class TokenRow(SQLModel, table=True):
    __tablename__ = "token"

    id: str = Field(primary_key=True)
    hash: str = Field(unique=True)
    workspace: str | None
    dataset: str | None
    scopes: str
    title: str
    expires: float | None
    made_at: Big


TOKEN = table(TokenRow)


def keep(connection: Connection, token: Token, secret_hash: str, now: int) -> None:
    """Keep a new token."""
    connection.execute(insert(TOKEN).values(_row(token, secret_hash, now)))
    raise_revision(connection, "tokens")


def hash_of(connection: Connection, token_id: str) -> str | None:
    """Return the hash of a token's secret, None where there is no such token."""
    return connection.execute(select(TOKEN.c.hash).where(TOKEN.c.id == token_id)).scalar()


def settle(connection: Connection, token: Token, secret_hash: str, now: int, *, replace: bool) -> str:
    """Keep a token of which there is one at most, and return the hash of the secret that is kept then.

    One with another secret makes room for it only with `replace`. What is kept already changes nothing.
    """
    kept = hash_of(connection, token.id)
    if kept == secret_hash or (kept is not None and not replace):
        return kept
    connection.execute(delete(TOKEN).where(TOKEN.c.id == token.id))
    row = _row(token, secret_hash, now)
    connection.execute(upsert(connection, TOKEN).values(row).on_conflict_do_nothing(index_elements=["id"]))
    raise_revision(connection, "tokens")
    kept = hash_of(connection, token.id)  # another process may have been first
    assert kept is not None
    return kept


def by_hash(connection: Connection) -> dict[str, Token]:
    """Return every token by the hash of its secret."""
    return {row["hash"]: _token(row) for row in connection.execute(select(TOKEN)).mappings()}


def known(connection: Connection) -> tuple[dict[str, Token], int]:
    """Return every token by the hash of its secret, and the revision that they are of, or of before them."""
    # the number first: what is committed in between makes tokens newer than it says, and never older
    at = revisions(connection)["tokens"]
    return by_hash(connection), at


def listing(connection: Connection, workspace: str | None) -> list[Token]:
    """Return the tokens, of one workspace or all, oldest first."""
    rows = connection.execute(select(TOKEN).order_by(TOKEN.c.made_at)).mappings()
    return [
        _token(row)
        for row in rows
        if workspace is None or (row["workspace"] is not None and fold(row["workspace"]) == fold(workspace))
    ]


def rebind(connection: Connection, workspace: str, old: str, new: str) -> None:
    """Bind the tokens of a dataset to its new name."""
    bound = [
        token.id
        for token in listing(connection, workspace)
        if token.dataset is not None and fold(token.dataset) == fold(old)
    ]
    if bound:
        connection.execute(update(TOKEN).where(TOKEN.c.id.in_(bound)).values(dataset=new))
        raise_revision(connection, "tokens")


def revoke(connection: Connection, token_id: str) -> bool:
    """Forget a token; False where there is none."""
    gone = connection.execute(delete(TOKEN).where(TOKEN.c.id == token_id)).rowcount == 1
    if gone:
        raise_revision(connection, "tokens")
    return gone


def _row(token: Token, secret_hash: str, now: int) -> dict[str, Any]:
    return {
        "id": token.id,
        "hash": secret_hash,
        "workspace": token.workspace,
        "dataset": token.dataset,
        "scopes": to_text(sorted(token.scopes)),
        "title": token.title,
        "expires": token.expires,
        "made_at": now,
    }


def _token(row: Row) -> Token:
    return Token(
        row["id"],
        frozenset(from_text(row["scopes"])),
        row["workspace"],
        row["dataset"],
        row["title"],
        row["expires"],
    )
