import base64
from dataclasses import replace
from typing import Any

import pytest

from rules.alerting.rule import Rule
from rules.alerting.subscription import Subscription, amend, read_subscription, wants
from rules.errors import BAD_SUBSCRIPTION, Problem

SECRET = "whsec_" + base64.b64encode(bytes(range(24))).decode()
LEAST = {"kind": "webhook", "url": "https://example.com/hook"}


def read(body: object) -> Subscription:
    return read_subscription("acme", body, subscription_id="s1", minted="whsec_minted", now=5)


def refusal(body: object) -> str:
    with pytest.raises(Problem) as caught:
        read(body)
    assert caught.value.code is BAD_SUBSCRIPTION
    return caught.value.detail


def rule(**more: Any) -> Rule:
    return Rule("Acme", "hot", 1, "readings", "temp > 30", **more)


def test_the_least_subscription_wants_everything_and_is_given_a_secret() -> None:
    read_one = read(LEAST)
    assert read_one == Subscription(
        "s1", "acme", "webhook", "https://example.com/hook", None, None, "whsec_minted", None, 5
    )
    assert wants(read_one, rule())


def test_filters_and_a_secret_are_read_and_the_secret_is_never_shown() -> None:
    read_one = read(LEAST | {"rules": ["hot"], "severities": ["warn", "warning", "crit"], "secret": SECRET})
    assert read_one.secret == SECRET
    assert read_one.to_json() == {
        "id": "s1",
        "kind": "webhook",
        "url": "https://example.com/hook",
        "rules": ["hot"],
        "severities": ["warning", "critical"],
        "disabled": None,
        "createdAt": "1970-01-01T00:00:00.000000005Z",
    }
    assert read(read_one.to_json() | {"secret": SECRET}) == read_one


@pytest.mark.parametrize("sort", ["email", "apprise"])
def test_other_kinds_are_not_supported_yet(sort: str) -> None:
    assert "not supported yet" in refusal({"kind": sort, "to": "a@b.c"})


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"kind": None}, "'kind' is missing"),
        ({"kind": "pager"}, "not 'pager'"),
        ({"kind": 5}, "not a number"),
        ({"url": None}, "'url' is missing"),
        ({"url": "ftp://example.com"}, "http://"),
        ({"url": "https://"}, "name a host"),
        ({"url": "https://example.com:99999/"}, "malformed"),
        ({"url": "https://[::1/"}, "malformed"),
        ({"url": "https://u:p@example.com/"}, "signed"),
        ({"url": "https://example.com/a b"}, "percent-encoded"),
        ({"url": "https://example.com/\n"}, "percent-encoded"),
        ({"url": "https://example.com/#x"}, "fragment"),
        ({"url": "https://example.com/" + "x" * 2_048}, "2048 are allowed"),
        ({"rules": "hot"}, "list"),
        ({"severities": ["bad"]}, "info, warning"),
        ({"secret": "short"}, "whsec_"),
        ({"secret": "whsec_" + base64.b64encode(bytes(23)).decode()}, "24 to 64"),
        ({"secret": "whsec_" + base64.b64encode(bytes(65)).decode()}, "24 to 64"),
        ({"secret": SECRET.removeprefix("whsec_")}, "whsec_"),
        ({"secret": "whsec_" + "ü" * 32}, "whsec_"),
        ({"severity": ["warn"]}, "did you mean 'severities'?"),
        ({"disabled": 5}, "not a number"),
    ],
)
def test_a_bad_member_is_refused_in_words(change: dict[str, Any], words: str) -> None:
    assert words in refusal(LEAST | change)


def test_a_body_that_is_no_object_is_refused() -> None:
    assert refusal("x") == "A subscription must be a JSON object, not a text."


def test_a_secret_is_never_in_a_refusal() -> None:
    assert "hunter2" not in refusal(LEAST | {"secret": "hunter2"})


def test_filters_apply_to_those_a_rule_names_too() -> None:
    one = read(LEAST | {"rules": ["hot"], "severities": ["error"]})
    assert not wants(one, rule())
    assert wants(one, rule(severity="error"))
    assert wants(one, rule(severity="error", notify=("s0", "s1")))
    assert not wants(one, rule(severity="error", notify=("s0",)))
    assert not wants(one, rule(severity="error", notify=()))
    assert not wants(replace(one, rules=("cold",)), rule(severity="error"))
    assert not wants(replace(one, rules=()), rule(severity="error"))


def test_a_disabled_subscription_and_one_of_another_workspace_want_nothing() -> None:
    one = read(LEAST)
    assert not wants(replace(one, disabled="410"), rule())
    assert not wants(replace(one, workspace="other"), rule())


def test_an_amendment_changes_what_it_names() -> None:
    one = replace(read(LEAST | {"rules": ["hot"]}), disabled="it answered 410")
    assert amend(one, {}) == one
    assert amend(one, {"disabled": False}).disabled is None
    assert amend(one, {"disabled": True}).disabled == "by request"
    changed = amend(
        one, {"rules": None, "severities": ["info"], "url": "http://b.example/", "secret": SECRET}
    )
    assert (changed.rules, changed.severities, changed.url) == (None, ("info",), "http://b.example/")
    assert (changed.secret, changed.id, changed.created_at) == (SECRET, "s1", 5)
    for bad in ({"url": None}, {"url": ""}, {"secret": None}, {"kind": "email"}, {"created_at": 5}, 5):
        with pytest.raises(Problem):
            amend(one, bad)
