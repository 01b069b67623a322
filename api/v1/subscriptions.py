"""`/v1/subscriptions/{workspace}`: who is told of alerts, and how that went."""

from typing import Any, Final
from uuid import uuid4

from fastapi import APIRouter, Request, Response
from sqlalchemy import Connection

from api.described import answers, extra, json_body, query
from api.entry.caller import caller, json_of, object_of, params_of, services_of
from rules.alerting.subscription import Subscription, amend, read_subscription
from rules.errors import NOT_FOUND, SUBSCRIPTION_DISABLED, SUBSCRIPTION_NOT_FOUND, Problem
from rules.names import workspace_name
from rules.schema.moments import format_moment
from storage import datasets, deliveries, subscriptions
from streams.awaiting import on_loop
from streams.delivery.targets import check_url
from streams.delivery.webhook import mint_secret

router = APIRouter(tags=["subscriptions"])

_PAGE: Final = 1_000
_GIVEN: Final = {"kind": "webhook", "url": "https://example.com/hook", "severities": ["error", "critical"]}
_SHOWN: Final = {
    "id": "sub-5f1c2d3e4b5a69788796a5b4c3d2e1f0",
    **_GIVEN,
    "rules": None,
    "disabled": None,
    "createdAt": "2026-11-21T13:05:00Z",
}
_DELIVERY: Final = {
    "alertId": "2b7d3c0a5b1f4e6d8c9a0b1c2d3e4f50",
    "notificationId": "2b7d3c0a5b1f4e6d8c9a0b1c2d3e4f50",
    "attempt": 1,
    "at": "2026-11-21T13:05:00Z",
    "status": 503,
    "error": "it answered 503",
    "nextAt": "2026-11-21T13:05:05Z",
    "state": "waiting",
}


@router.post(
    "/v1/subscriptions/{workspace}",
    status_code=201,
    openapi_extra=extra(body=json_body("Who is told of what.", _GIVEN, "SubscriptionGiven")),
    responses=answers(201, "It is made.", {**_SHOWN, "secret": "whsec_…"}, "Subscription"),
)
async def create(request: Request, workspace: str) -> dict[str, Any]:
    """Subscribe to alerts. The secret that signs is shown this once."""
    caller(request, "rules", workspace)
    services = services_of(request)
    workspace_name(workspace)
    body = object_of(await json_of(request, workspace), "a subscription")
    subscription = read_subscription(
        workspace, body, subscription_id=f"sub-{uuid4().hex}", minted=mint_secret(), now=services.clock()
    )
    check_url(subscription.url, services.allow_private_targets)

    def keep(c: Connection) -> None:
        datasets.ensure_workspace(c, workspace, subscription.created_at)
        subscriptions.keep(c, subscription)

    await on_loop(services.store.write(keep))
    return {**subscription.to_json(), "secret": subscription.secret}


@router.get(
    "/v1/subscriptions/{workspace}",
    responses=answers(200, "The subscriptions.", {"subscriptions": [_SHOWN]}, "Subscriptions"),
)
async def listing(request: Request, workspace: str) -> dict[str, Any]:
    """List a workspace's subscriptions, oldest first."""
    caller(request, "read", workspace)
    found = await on_loop(services_of(request).store.read(lambda c: subscriptions.listing(c, workspace)))
    return {"subscriptions": [one.to_json() for one in found]}


@router.get(
    "/v1/subscriptions/{workspace}/{subscription}",
    responses=answers(200, "The subscription.", _SHOWN, "Subscription"),
)
async def read(request: Request, workspace: str, subscription: str) -> dict[str, Any]:
    """Show a subscription."""
    caller(request, "read", workspace)
    store = services_of(request).store
    return (await on_loop(store.read(lambda c: _existing(c, workspace, subscription)))).to_json()


@router.patch(
    "/v1/subscriptions/{workspace}/{subscription}",
    openapi_extra=extra(body=json_body("What changes.", {"disabled": None}, "SubscriptionChange")),
    responses=answers(200, "The subscription as it is now.", _SHOWN, "Subscription"),
)
async def change(request: Request, workspace: str, subscription: str) -> dict[str, Any]:
    """Change what the body names. `"disabled": null` lets a disabled one deliver again."""
    caller(request, "rules", workspace)
    services = services_of(request)
    body = object_of(await json_of(request, workspace), "what to change")

    def keep(c: Connection) -> Subscription:
        amended = amend(_existing(c, workspace, subscription), body)
        check_url(amended.url, services.allow_private_targets)
        subscriptions.replace(c, amended)
        return amended

    amended = await on_loop(services.store.write(keep))
    services.wake_courier()
    return amended.to_json()


@router.delete(
    "/v1/subscriptions/{workspace}/{subscription}", status_code=204, responses=answers(204, "It is gone.")
)
async def delete(request: Request, workspace: str, subscription: str) -> Response:
    """Unsubscribe; what was still owed is forgotten."""
    caller(request, "rules", workspace)

    def drop(c: Connection) -> None:
        _existing(c, workspace, subscription)
        subscriptions.drop(c, workspace, subscription)
        deliveries.forget(c, subscription)

    await on_loop(services_of(request).store.write(drop))
    return Response(status_code=204)


@router.get(
    "/v1/subscriptions/{workspace}/{subscription}/deliveries",
    openapi_extra=extra(query("limit", "How many.", "integer", minimum=1, maximum=_PAGE, default=100)),
    responses=answers(200, "The attempts.", [_DELIVERY], "Deliveries"),
)
async def log(request: Request, workspace: str, subscription: str) -> list[dict[str, Any]]:
    """List attempts to deliver, newest first, and what waits for its first attempt."""
    caller(request, "read", workspace)
    limit = params_of(request).whole("limit", 100, 1, _PAGE)

    def find(c: Connection) -> list[dict[str, Any]]:
        _existing(c, workspace, subscription)
        return deliveries.attempts(c, subscription, limit)

    found = await on_loop(services_of(request).store.read(find))
    return [
        {
            "alertId": row["alert_id"],
            "notificationId": row["notification_id"],
            "attempt": row["attempt"] or 0,
            "at": _moment(row["at"]),
            "status": row["status"],
            "error": row["error"],
            "nextAt": _moment(row["due_at"] if row["attempt"] is None else row["next_at"]),
            "state": row["state"],
        }
        for row in found
    ]


@router.post(
    "/v1/subscriptions/{workspace}/{subscription}/deliveries/{notification}/redeliver",
    responses=answers(
        200, "It is due now.", {"success": True, "message": "It is delivered again now."}, "Done"
    ),
)
async def redeliver(request: Request, workspace: str, subscription: str, notification: str) -> dict[str, Any]:
    """Deliver a notification once more, now. 409 while the subscription is disabled: nothing is sent then."""
    caller(request, "rules", workspace)
    services = services_of(request)
    now = services.clock()

    def owe(c: Connection) -> None:
        disabled = _existing(c, workspace, subscription).disabled
        if disabled is not None:
            raise Problem(
                SUBSCRIPTION_DISABLED,
                f'{subscription} is disabled ({disabled}). PATCH it with {{"disabled": null}} first.',
            )
        if not deliveries.again(c, notification, subscription, now):
            raise Problem(NOT_FOUND, f"{subscription} was never owed the notification {notification[:64]!r}.")

    await on_loop(services.store.write(owe))
    services.wake_courier()
    return {"success": True, "message": "It is delivered again now."}


def _existing(c: Connection, workspace: str, subscription: str) -> Subscription:
    found = subscriptions.find(c, workspace, subscription)
    if found is None:
        raise Problem(
            SUBSCRIPTION_NOT_FOUND, f"There is no subscription {subscription[:64]!r} in {workspace}."
        )
    return found


def _moment(at: int | None) -> str | None:
    return None if at is None else format_moment(at)
