"""Who is told of alerts, and where."""

import base64
import binascii
import re
from dataclasses import dataclass, replace
from typing import Any, Final, Literal
from urllib.parse import urlsplit

from rules.alerting.fields import checked_text, kind, members, refuse_unknown, text, texts
from rules.alerting.rule import Rule
from rules.alerting.severity import SEVERITIES, Severity, read_severity
from rules.errors import BAD_SUBSCRIPTION, Problem
from rules.names import fold
from rules.schema.moments import format_moment

Kind = Literal["webhook"]

MAX_URL: Final = 2_048
MAX_RULES: Final = 1_000
SECRET_PREFIX: Final = "whsec_"  # noqa: S105 - what every secret begins with, not one
_SECRET_BYTES: Final = range(24, 65)
_KINDS_LATER: Final = frozenset({"email", "apprise"})
_CHANGEABLE: Final = frozenset({"kind", "url", "rules", "severities", "secret", "disabled"})
# What an answer shows besides; ignored, so that what was got can be sent back.
_SHOWN: Final = frozenset({"id", "createdAt"})
_VISIBLE = re.compile(r"[!-~]+")


@dataclass(frozen=True, slots=True)
class Subscription:
    """A standing wish to be told of a workspace's alerts by webhook.

    `rules` and `severities` narrow it (None: all). `secret` signs (`whsec_` and base64 of 24 to 64 bytes).
    `disabled` says why nothing is sent any more, None while it is. `created_at` is ns since 1970.
    """

    id: str
    workspace: str
    kind: Kind
    url: str
    rules: tuple[str, ...] | None
    severities: tuple[Severity, ...] | None
    secret: str
    disabled: str | None
    created_at: int

    def to_json(self) -> dict[str, Any]:
        """Return the subscription as the API shows it: never its secret."""
        return {
            "id": self.id,
            "kind": self.kind,
            "url": self.url,
            "rules": None if self.rules is None else list(self.rules),
            "severities": None if self.severities is None else list(self.severities),
            "disabled": self.disabled,
            "createdAt": format_moment(self.created_at),
        }


def read_subscription(
    workspace: str, body: object, *, subscription_id: str, minted: str, now: int
) -> Subscription:
    """Return the subscription that a caller declares, created `now`.

    `minted` is the secret it gets where the body gives none. Whether the url may be reached is not decided
    here: addresses are checked when the socket is made.

    Raises: Problem(bad_subscription).
    """
    declared = members(body, "subscription", BAD_SUBSCRIPTION)
    sort = _kind(declared.get("kind"))
    refuse_unknown(declared, _CHANGEABLE | _SHOWN, "subscription", BAD_SUBSCRIPTION)
    return Subscription(
        id=subscription_id,
        workspace=workspace,
        kind=sort,
        url=_url(declared),
        rules=texts(declared, "rules", BAD_SUBSCRIPTION, most=MAX_RULES),
        severities=_severities(declared),
        secret=minted if declared.get("secret") is None else _secret(declared["secret"]),
        disabled=_disabled(declared),
        created_at=now,
    )


def amend(subscription: Subscription, body: object) -> Subscription:
    """Return `subscription` with the members that a PATCH names; null lifts a filter.

    `"disabled": null` (or false) lets a disabled one deliver again.

    Raises: Problem(bad_subscription).
    """
    declared = members(body, "subscription", BAD_SUBSCRIPTION)
    refuse_unknown(declared, _CHANGEABLE | _SHOWN, "subscription", BAD_SUBSCRIPTION)
    changes: dict[str, Any] = {}
    if "kind" in declared:
        changes["kind"] = _kind(declared["kind"])
    if "url" in declared:
        changes["url"] = _url(declared)
    if "rules" in declared:
        changes["rules"] = texts(declared, "rules", BAD_SUBSCRIPTION, most=MAX_RULES)
    if "severities" in declared:
        changes["severities"] = _severities(declared)
    if "secret" in declared:
        changes["secret"] = _secret(declared["secret"])
    if "disabled" in declared:
        changes["disabled"] = _disabled(declared)
    return replace(subscription, **changes)


def wants(subscription: Subscription, rule: Rule) -> bool:
    """Return whether alerts of `rule` are to be delivered to `subscription`.

    It must be of the rule's workspace and not disabled, its filters must match, and where the rule names
    subscriptions it must be one of them.
    """
    if subscription.disabled is not None or fold(subscription.workspace) != fold(rule.workspace):
        return False
    if rule.notify is not None and subscription.id not in rule.notify:
        return False
    if subscription.rules is not None and rule.id not in subscription.rules:
        return False
    return subscription.severities is None or rule.severity in subscription.severities


def _kind(given: object) -> Kind:
    if given == "webhook":
        return "webhook"
    if given is None:
        raise Problem(BAD_SUBSCRIPTION, "The field 'kind' is missing; it is 'webhook'.")
    if isinstance(given, str) and given in _KINDS_LATER:
        raise Problem(
            BAD_SUBSCRIPTION, f"Subscriptions of the kind '{given}' are not supported yet; use 'webhook'."
        )
    shown = f"'{given[:40]}'" if isinstance(given, str) else kind(given)
    raise Problem(BAD_SUBSCRIPTION, f"The kind of a subscription is 'webhook', not {shown}.")


def _url(declared: dict[str, Any]) -> str:
    url = text(declared, "url", BAD_SUBSCRIPTION, most=MAX_URL)
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise Problem(BAD_SUBSCRIPTION, "The url can't be read; its host or port is malformed.") from None
    if not _VISIBLE.fullmatch(url):
        raise Problem(
            BAD_SUBSCRIPTION, "The url holds a space or another character that must be percent-encoded."
        )
    if parts.scheme not in ("http", "https") or not host:
        raise Problem(BAD_SUBSCRIPTION, "The url must begin with http:// or https:// and name a host.")
    if "@" in parts.netloc:
        raise Problem(
            BAD_SUBSCRIPTION, "The url holds a user name or password; deliveries are signed instead."
        )
    if "#" in url:
        raise Problem(BAD_SUBSCRIPTION, "The url has a fragment ('#…'), which is never sent; leave it out.")
    return url


def _severities(declared: dict[str, Any]) -> tuple[Severity, ...] | None:
    given = texts(declared, "severities", BAD_SUBSCRIPTION, most=len(SEVERITIES))
    if given is None:
        return None
    return tuple(dict.fromkeys(read_severity(word, BAD_SUBSCRIPTION) for word in given))


def _secret(given: object) -> str:
    secret = checked_text(given, "The field 'secret'", BAD_SUBSCRIPTION, most=128)
    try:
        raw = base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if not secret.startswith(SECRET_PREFIX) or len(raw) not in _SECRET_BYTES:
        raise Problem(
            BAD_SUBSCRIPTION,
            f"The secret must be '{SECRET_PREFIX}' and the base64 of 24 to 64 bytes, or absent.",
        )
    return secret


def _disabled(declared: dict[str, Any]) -> str | None:
    given = declared.get("disabled")
    if given is None or given is False:
        return None
    if given is True:
        return "by request"
    return checked_text(given, "The field 'disabled'", BAD_SUBSCRIPTION, most=200)
