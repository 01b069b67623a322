"""`/v1/rules/{workspace}`: rules, their state, and a dry run on events given."""

from typing import Any, Final
from uuid import uuid4

from fastapi import APIRouter, Request, Response
from sqlalchemy import Connection

from api.described import answers, extra, json_body, query
from api.entry.caller import caller, json_of, object_of, params_of, services_of
from api.ruling import add, announced, change_state, existing, find, fitted, follow
from api.services import Services
from rules.alerting.instance import Instance
from rules.alerting.rule import Rule, read_rule
from rules.alerting.trial import Trial, dry_run
from rules.errors import BAD_RULE, Problem
from rules.names import rule_id, workspace_name
from storage import instances, rules
from streams.awaiting import on_loop

router = APIRouter(tags=["rules"])

EVENTS: Final = 10_000
_GIVEN: Final = {"id": "hot", "on": "readings", "where": "temp > 30", "key": ["station"], "cooldown": "5m"}
_SHOWN: Final = {
    **_GIVEN,
    "mode": "each",
    "severity": "warning",
    "notify": None,
    "message": None,
    "title": "",
    "state": "active",
    "version": 1,
    "createdAt": "2026-11-21T13:05:00Z",
    "updatedAt": "2026-11-21T13:05:00Z",
}
_EVENTS: Final = [{"station": "oslo", "temp": 31.5}]
_RULE: Final = answers(200, "The rule.", _SHOWN, "Rule")
_BODY: Final = extra(body=json_body("The rule.", _GIVEN, "RuleGiven"))
_TRIED: Final = answers(
    200, "What would be raised; events that can't be judged.", {"alerts": [], "errors": []}, "Trial"
)


@router.post(
    "/v1/rules/{workspace}",
    status_code=201,
    openapi_extra=_BODY,
    responses=answers(201, "It is in force.", _SHOWN, "Rule"),
)
async def create(request: Request, workspace: str) -> dict[str, Any]:
    """Make a rule. It judges every record that is written after the answer."""
    caller(request, "rules", workspace)
    services = services_of(request)
    body = object_of(await json_of(request, workspace), "a rule")
    workspace_name(workspace)
    given = body.get("id")
    minted = f"rule-{uuid4().hex[:12]}" if given is None else None
    rule = read_rule(workspace, body, rule_id=minted, now=services.clock(), limits=services.limits)
    warnings = await fitted(services, rule)
    most = services.limits.rules_per_workspace
    return _shown(await announced(services, lambda c: add(c, rule, most)), warnings)


@router.get("/v1/rules/{workspace}", responses=answers(200, "The rules.", {"rules": [_SHOWN]}, "Rules"))
async def listing(request: Request, workspace: str) -> dict[str, Any]:
    """List the rules of a workspace, by id."""
    caller(request, "read", workspace)
    found = await on_loop(services_of(request).store.read(lambda c: rules.listing(c, workspace)))
    return {"rules": [rule.to_json() for rule in found]}


@router.get("/v1/rules/{workspace}/{rule}", responses=_RULE)
async def read(request: Request, workspace: str, rule: str) -> dict[str, Any]:
    """Show a rule."""
    caller(request, "read", workspace)
    return (await find(services_of(request), workspace, rule)).to_json()


@router.get(
    "/v1/rules/{workspace}/{rule}/instances",
    openapi_extra=extra(query("limit", "How many.", "integer", minimum=1, maximum=1_000, default=100)),
    responses=answers(200, "What it remembers.", {"instances": []}, "Instances"),
)
async def instances_of(request: Request, workspace: str, rule: str) -> dict[str, Any]:
    """List what a rule remembers of each value of its key, latest alert first."""
    caller(request, "read", workspace)
    limit = params_of(request).whole("limit", 100, 1, 1_000)

    def remembered(c: Connection) -> list[Instance]:
        existing(c, workspace, rule)
        return instances.listing(c, workspace, rule, limit)

    found = await on_loop(services_of(request).store.read(remembered))
    return {"instances": [instance.to_json() for instance in found]}


@router.put("/v1/rules/{workspace}/{rule}", openapi_extra=_BODY, responses=_RULE)
async def replace(request: Request, workspace: str, rule: str) -> dict[str, Any]:
    """Replace a rule: a new version, in force for what is written after the answer."""
    caller(request, "rules", workspace)
    services = services_of(request)
    body = object_of(await json_of(request, workspace), "a rule")
    new = read_rule(workspace, body, rule_id=rule_id(rule), now=services.clock(), limits=services.limits)
    warnings = await fitted(services, new)

    def keep(c: Connection) -> Rule:
        last = existing(c, workspace, rule)
        return follow(c, new, last, new.state if "state" in body else last.state)  # a paused one stays paused

    return _shown(await announced(services, keep), warnings)


@router.delete("/v1/rules/{workspace}/{rule}", status_code=204, responses=answers(204, "It is gone."))
async def delete(request: Request, workspace: str, rule: str) -> Response:
    """Delete a rule. Its alerts stay."""
    caller(request, "rules", workspace)
    await change_state(services_of(request), workspace, rule, "deleted")
    return Response(status_code=204)


@router.post("/v1/rules/{workspace}/{rule}/pause", responses=_RULE)
async def pause(request: Request, workspace: str, rule: str) -> dict[str, Any]:
    """Let a rule judge nothing until it is resumed."""
    caller(request, "rules", workspace)
    return (await change_state(services_of(request), workspace, rule, "paused")).to_json()


@router.post("/v1/rules/{workspace}/{rule}/resume", responses=_RULE)
async def resume(request: Request, workspace: str, rule: str) -> dict[str, Any]:
    """Let a paused rule judge again."""
    caller(request, "rules", workspace)
    return (await change_state(services_of(request), workspace, rule, "active")).to_json()


@router.post(
    "/v1/rules/{workspace}/test",
    openapi_extra=extra(
        body=json_body("A rule, and events.", {"rule": _GIVEN, "events": _EVENTS}, "RuleTrialGiven")
    ),
    responses=_TRIED,
)
async def test_given(request: Request, workspace: str) -> dict[str, Any]:
    """Say which alerts a rule in the body would raise on events in the body. Nothing is kept."""
    caller(request, "rules", workspace)
    services = services_of(request)
    body = object_of(await json_of(request, workspace, most=services.limits.wire_bytes), "rule and events")
    declared = object_of(body.get("rule"), "rule is a rule")
    now = services.clock()
    rule = read_rule(
        workspace, declared, rule_id=None if "id" in declared else "test", now=now, limits=services.limits
    )
    await fitted(services, rule)
    return await _try(services, rule, body, now)


@router.post(
    "/v1/rules/{workspace}/{rule}/test",
    openapi_extra=extra(body=json_body("Events.", {"events": _EVENTS}, "TrialGiven")),
    responses=_TRIED,
)
async def test_kept(request: Request, workspace: str, rule: str) -> dict[str, Any]:
    """Say which alerts a rule would raise on events in the body. Nothing is kept."""
    caller(request, "rules", workspace)
    services = services_of(request)
    found = await find(services, workspace, rule)
    body = object_of(await json_of(request, workspace, most=services.limits.wire_bytes), "events")
    return await _try(services, found, body, services.clock())


async def _try(services: Services, rule: Rule, body: dict[str, Any], now: int) -> dict[str, Any]:
    events = body.get("events")
    if not isinstance(events, list) or not all(isinstance(event, dict) for event in events):
        raise Problem(BAD_RULE, "events must be a list of records.")
    if len(events) > EVENTS:
        raise Problem(BAD_RULE, f"{len(events)} events were given; {EVENTS} can be tried at once.")
    dataset = await services.catalogue.find(rule.workspace, rule.on)
    tried: Trial = dry_run(rule, events, dataset, now, services.limits)
    return {
        "alerts": [alert.to_json() for alert in tried.alerts],
        "errors": [{"index": index, "message": message} for index, message in tried.errors],
    }


def _shown(rule: Rule, warnings: list[str]) -> dict[str, Any]:
    return {**rule.to_json(), "warnings": warnings} if warnings else rule.to_json()
