"""Subscriptions: who wants to be told."""

from sqlalchemy import Connection, delete, insert, select, update
from sqlmodel import Field, SQLModel

from rules.alerting.subscription import Subscription
from rules.names import fold
from storage.revision import raise_revision
from storage.sql import Big, Row, from_text, table, to_text


class SubscriptionRow(SQLModel, table=True):
    __tablename__ = "subscription"

    id: str = Field(primary_key=True)
    workspace: str = Field(index=True)
    named: str
    kind: str
    url: str
    rules: str | None
    severities: str | None
    secret: str
    disabled: str | None
    created_at: Big


SUBSCRIPTION = table(SubscriptionRow)


def keep(connection: Connection, subscription: Subscription) -> None:
    """Keep a new subscription."""
    connection.execute(insert(SUBSCRIPTION).values(id=subscription.id, **_values(subscription)))
    raise_revision(connection, "subscriptions")


def replace(connection: Connection, subscription: Subscription) -> None:
    """Keep a subscription as it is now."""
    where = SUBSCRIPTION.c.id == subscription.id
    connection.execute(update(SUBSCRIPTION).where(where).values(_values(subscription)))
    raise_revision(connection, "subscriptions")


def find(connection: Connection, workspace: str, subscription_id: str) -> Subscription | None:
    """Return a subscription of the workspace."""
    where = (SUBSCRIPTION.c.workspace == fold(workspace)) & (SUBSCRIPTION.c.id == subscription_id)
    row = connection.execute(select(SUBSCRIPTION).where(where)).mappings().first()
    return None if row is None else _subscription(row)


def listing(connection: Connection, workspace: str) -> list[Subscription]:
    """Return a workspace's subscriptions, oldest first."""
    where = SUBSCRIPTION.c.workspace == fold(workspace)
    query = select(SUBSCRIPTION).where(where).order_by(SUBSCRIPTION.c.created_at, SUBSCRIPTION.c.id)
    return [_subscription(row) for row in connection.execute(query).mappings()]


def drop(connection: Connection, workspace: str, subscription_id: str) -> bool:
    """Forget a subscription; False where there is none."""
    where = (SUBSCRIPTION.c.workspace == fold(workspace)) & (SUBSCRIPTION.c.id == subscription_id)
    gone = connection.execute(delete(SUBSCRIPTION).where(where)).rowcount == 1
    raise_revision(connection, "subscriptions")
    return gone


def disable(connection: Connection, subscription_id: str, reason: str) -> None:
    """Deliver nothing to a subscription any more, and say why."""
    where = SUBSCRIPTION.c.id == subscription_id
    connection.execute(update(SUBSCRIPTION).where(where).values(disabled=reason))
    raise_revision(connection, "subscriptions")


def _values(subscription: Subscription) -> dict[str, object]:
    return {
        "workspace": fold(subscription.workspace),
        "named": subscription.workspace,
        "kind": subscription.kind,
        "url": subscription.url,
        "rules": None if subscription.rules is None else to_text(subscription.rules),
        "severities": None if subscription.severities is None else to_text(subscription.severities),
        "secret": subscription.secret,
        "disabled": subscription.disabled,
        "created_at": subscription.created_at,
    }


def _subscription(row: Row) -> Subscription:
    return Subscription(
        row["id"],
        row["named"],
        row["kind"],
        row["url"],
        None if row["rules"] is None else tuple(from_text(row["rules"])),
        None if row["severities"] is None else tuple(from_text(row["severities"])),
        row["secret"],
        row["disabled"],
        row["created_at"],
    )
