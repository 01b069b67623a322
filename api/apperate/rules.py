"""`/v1/rules/create` and its neighbours: the rules API that Apperate's and IEX Cloud's callers know."""

from dataclasses import replace
from typing import Any, Final
from uuid import uuid4

from fastapi import APIRouter, Request
from sqlalchemy import Connection

from api.apperate.credentials import Asked, read_body, read_query
from api.apperate.shown import ALERTS, SCHEMA, STATUS, choices, schema, status
from api.apperate.translate import declaration, subscription
from api.apperate.wish import Wish, read_wish
from api.described import answers, extra, query
from api.ruling import add, announced, change_state, existing, find, fitted, follow, kept
from api.services import Services
from rules.alerting.fields import text
from rules.alerting.rule import Rule, next_version, read_rule
from rules.alerting.subscription import Subscription, read_subscription
from rules.errors import BAD_RULE, NOT_FOUND, Problem
from storage import alerts, datasets, deliveries, instances, rules, subscriptions
from storage.alerts import Wanted
from streams.awaiting import on_loop
from streams.delivery.targets import check_url
from streams.delivery.webhook import mint_secret

router = APIRouter(tags=["apperate"])

_ID: Final = "d673e169-0d4b-4b1c-9a53-5f1c2d3e4b5a"
_CREATE: Final = {
    "token": "sk_…",
    "ruleName": "Simple Rule",
    "ruleSet": "quotes:AAPL",
    "type": "any",
    "conditions": [["latestPrice", ">", 150], ["peRatio", "<", 20]],
    "outputs": [{"method": "webhook", "url": "https://example.com/hook", "frequency": 60}],
}
_MADE: Final = {"success": True, "message": f"Rule {_ID} has been created", "id": _ID, "secret": "whsec_…"}
_DONE: Final = {"success": True, "message": f"Rule {_ID} has been paused"}
_HOME: Final = query("workspace", "Whose rules; unless given the token's own, an administrator's `default`.")
_RULE_OF: Final = {"token": "sk_…", "ruleId": _ID}


def _body(example: dict[str, Any]) -> dict[str, Any]:
    content = {"application/json": {"schema": {"type": "object"}, "example": example}}
    return {"requestBody": {"required": True, "content": content}}


@router.post(
    "/v1/rules/create",
    openapi_extra=_body(_CREATE),
    responses=answers(200, "It is in force, or as edited.", _MADE),
)
async def create(request: Request) -> dict[str, Any]:
    """Make a rule, or edit the one whose `id` is given. It judges every record written after the answer.

    The token may stand in the body. `ruleSet` is `dataset` or `dataset:KEY`, or `ANYEVENT` with `dataset`;
    `index` names facts instead. `outputs.frequency` is seconds between two alerts of a key.
    """
    asked = await read_body(request)
    services = asked.services
    wish = read_wish(asked.body)
    workspace = asked.workspace(wish.watched.workspace)
    services.gate.allow(asked.token, "rules", workspace)
    rule = await _rule(services, workspace, wish)
    told = _subscription(services, wish, rule)
    warnings = [*wish.warnings, *await fitted(services, rule)]

    def keep(c: Connection) -> Rule:
        if wish.id is None:
            return add(c, _telling(c, rule, None, told), services.limits.rules_per_workspace)
        last = existing(c, workspace, rule.id)
        return follow(c, _telling(c, rule, _own(c, last), told), last, last.state)

    made = await announced(services, keep)
    verb = "created" if wish.id is None else "updated"
    answer = {
        "success": True,
        "message": f"Rule {made.id} has been {verb}",
        "id": made.id,
        "where": made.where,
    }
    if told is not None and made.notify == (told.id,):
        answer["secret"] = told.secret
    return answer | ({"warnings": warnings} if warnings else {})


@router.post("/v1/rules/pause", openapi_extra=_body(_RULE_OF), responses=answers(200, "It rests.", _DONE))
async def pause(request: Request) -> dict[str, Any]:
    """Let the rule `ruleId` judge nothing until it is resumed."""
    asked, rule_id = await _named(request)
    await change_state(asked.services, asked.home, rule_id, "paused")
    return {"success": True, "message": f"Rule {rule_id} has been paused"}


@router.post("/v1/rules/resume", openapi_extra=_body(_RULE_OF), responses=answers(200, "It judges.", _DONE))
async def resume(request: Request) -> dict[str, Any]:
    """Let the rule `ruleId` judge again."""
    asked, rule_id = await _named(request)
    await change_state(asked.services, asked.home, rule_id, "active")
    return {"success": True, "message": f"Rule {rule_id} has been resumed"}


@router.delete("/v1/rules/{rule}", openapi_extra=extra(_HOME), responses=answers(200, "It is gone.", _DONE))
async def delete(request: Request, rule: str) -> dict[str, Any]:
    """Delete a rule, and the subscription that was made with it. Its alerts stay."""
    asked = read_query(request, "rules")
    now = asked.services.clock()

    def keep(c: Connection) -> Rule:
        last = existing(c, asked.home, rule)
        _forget(c, _own(c, last))
        return kept(c, next_version(last, state="deleted", updated_at=now))

    await announced(asked.services, keep)
    return {"success": True, "message": f"Rule {rule} has been deleted"}


@router.get("/v1/rules", openapi_extra=extra(_HOME), responses=answers(200, "The rules.", [STATUS]))
async def listing(request: Request) -> list[dict[str, Any]]:
    """List a workspace's rules, with how often each raised an alert."""
    asked = read_query(request, "read")

    def read(c: Connection) -> list[dict[str, Any]]:
        fired = instances.fired(c, asked.home)
        return [status(rule, fired.get(rule.id)) for rule in rules.listing(c, asked.home)]

    return await on_loop(asked.services.store.read(read))


@router.get("/v1/rules/info/{rule}", openapi_extra=extra(_HOME), responses=answers(200, "It.", [STATUS]))
async def info(request: Request, rule: str) -> list[dict[str, Any]]:
    """Show a rule, as a list of one."""
    asked = read_query(request, "read")

    def read(c: Connection) -> list[dict[str, Any]]:
        fired = instances.fired(c, asked.home, rule)
        return [status(existing(c, asked.home, rule), fired.get(rule))]

    return await on_loop(asked.services.store.read(read))


@router.get(
    "/v1/rules/output/{rule}",
    openapi_extra=extra(_HOME, query("limit", "How many.", "integer", minimum=1, maximum=1_000, default=100)),
    responses=answers(200, "The alerts.", ALERTS),
)
async def output(request: Request, rule: str) -> list[dict[str, Any]]:
    """List the alerts that a rule raised, newest first, whatever its output."""
    asked = read_query(request, "read")
    limit = asked.params.whole("limit", 100, 1, asked.services.limits.alerts_page)

    def read(c: Connection) -> list[dict[str, Any]]:
        existing(c, asked.home, rule)
        found = alerts.listing(c, Wanted(asked.home, rule=rule, limit=limit)).alerts
        return [alert.to_json() for alert in found]

    return await on_loop(asked.services.store.read(read))


@router.get("/v1/rules/schema", openapi_extra=extra(_HOME), responses=answers(200, "What there is.", SCHEMA))
async def words(request: Request) -> dict[str, Any]:
    """Say what conditions may name, which operators suit it, and which outputs there are."""
    asked = read_query(request, "read")
    return await on_loop(asked.services.store.read(lambda c: schema(c, asked.home)))


@router.get(
    "/v1/rules/lookup/{value}",
    openapi_extra=extra(_HOME),
    responses=answers(200, "The values.", [{"value": "quotes", "label": "quotes"}]),
)
async def lookup(request: Request, value: str) -> list[dict[str, Any]]:
    """List what may stand on the right of a condition whose schema entry says `isLookup`."""
    asked = read_query(request, "read")
    found = await on_loop(asked.services.store.read(lambda c: choices(c, asked.home, value)))
    if found is None:
        raise Problem(
            NOT_FOUND, f"There is nothing to look up for {value[:80]!r}; rules/schema says for what."
        )
    return found


async def _named(request: Request) -> tuple[Asked, str]:
    asked = await read_body(request)
    asked.services.gate.allow(asked.token, "rules", asked.home)
    return asked, text(asked.body, "ruleId", BAD_RULE, most=128)


async def _rule(services: Services, workspace: str, wish: Wish) -> Rule:
    dataset = await services.catalogue.find(workspace, wish.watched.dataset)
    if wish.id is not None:
        await find(services, workspace, wish.id)
    rule_id = str(uuid4()) if wish.id is None else wish.id
    given = declaration(wish, dataset)
    return read_rule(workspace, given, rule_id=rule_id, now=services.clock(), limits=services.limits)


def _subscription(services: Services, wish: Wish, rule: Rule) -> Subscription | None:
    given = subscription(wish, rule.id)
    if given is None:
        return None
    made = read_subscription(
        rule.workspace,
        given,
        subscription_id=f"sub-{uuid4().hex}",
        minted=mint_secret(),
        now=services.clock(),
    )
    check_url(made.url, services.allow_private_targets)
    return made


def _telling(c: Connection, rule: Rule, own: Subscription | None, told: Subscription | None) -> Rule:
    """Return a rule that tells the subscription `told`, or nobody; `own` is the one it had for itself.

    An edit changes where that one leads, and it keeps its secret and what it owes.
    """
    if told is None:
        _forget(c, own)
        return replace(rule, notify=())
    if own is None:
        datasets.ensure_workspace(c, rule.workspace, rule.created_at)
        subscriptions.keep(c, told)
        return replace(rule, notify=(told.id,))
    subscriptions.replace(c, replace(own, kind=told.kind, url=told.url, disabled=None))
    return replace(rule, notify=(own.id,))


def _own(c: Connection, rule: Rule) -> Subscription | None:
    """Return the subscription that was made with a rule, for its alerts alone."""
    for named in rule.notify or ():
        found = subscriptions.find(c, rule.workspace, named)
        if found is not None and found.rules == (rule.id,):
            return found
    return None


def _forget(c: Connection, own: Subscription | None) -> None:
    if own is not None:
        subscriptions.drop(c, own.workspace, own.id)
        deliveries.forget(c, own.id)
