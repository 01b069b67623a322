"""What a broker has stored and alerted, held against what its clients were told."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from time import time, time_ns
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection, func, select

from rules.envelope import Origin
from rules.ids import alert_id, canonical_key
from storage import datasets, deliveries, rules
from storage.alerts import ALERT, NOTIFICATION
from storage.aside import batch
from storage.instances import INSTANCE
from storage.rules import RULE
from tests.crash.account import (
    BRIEF,
    GROWN,
    KEPT,
    KEYED,
    LOADED,
    PLAIN,
    RETENTION,
    SAID,
    SPREAD,
    TIGHT,
    WIDE,
    WORKSPACE,
    Account,
    Body,
    Sent,
)
from tests.stage.stored import catalogued, read, stored

_WHERE = re.compile(r"n % 4 != (\d)")
_OWN = ("_id", "_time")

Versions = Mapping[int, int | None]
"""Which records each version of a rule spares: the remainder of `n` by 4, None where it judges nothing."""


class Raised(NamedTuple):
    """An alert, as far as the books ask for it."""

    id: str
    rule: str
    version: int
    event: Body
    position: str


@dataclass(slots=True)
class Found:
    """How many records and alerts there are, and which records were lost, are there twice, lack an alert."""

    stored: int = 0
    alerts: int = 0
    lost: list[Sent] = field(default_factory=list)
    doubled: list[Sent] = field(default_factory=list)
    missing: list[Sent] = field(default_factory=list)

    def right(self) -> None:
        """Raises: AssertionError, where anything was lost, doubled or not alerted."""
        wrong = {"lost": self.lost, "doubled": self.doubled, "without their alert": self.missing}
        assert not any(wrong.values()), {
            what: f"{len(which)}, such as {which[:3]}" for what, which in wrong.items() if which
        }


def audit(data: Path, account: Account) -> Found:
    """Hold everything that is stored against the account, and return what was found.

    For a broker whose clients rest and that has done all it was given. Raises: AssertionError, where
    something is there that nobody sent, or in another order.
    """
    found = Found()
    assert not account.wrong, account.wrong[:5]
    versions = _versions(data)
    _close(account, versions)
    raised = read(data, _raised)
    alerts = _by_number(account, versions, raised, found)
    grown = sorted({one.dataset for one in account.sent.values() if one.dataset.startswith(GROWN)})
    for dataset in (PLAIN, WIDE, KEPT, LOADED, *grown):
        rows = sorted(stored(data, WORKSPACE, dataset), key=lambda row: str(row["_id"]))
        found.stored += len(rows)
        _as_sent(account, dataset, rows, found)
        _in_order(account, dataset, rows)
        _judged_in_order(account, rows, versions[f"on_{dataset}"], alerts, found)
    for dataset in (KEYED, SPREAD, TIGHT, BRIEF):
        found.stored += _as_it_stands(data, account, dataset)
    assert catalogued(data, WORKSPACE, SAID) is None, "what is only published makes no dataset"
    found.missing += [one for one in account.sent.values() if _unexplained(one, versions, alerts)]
    _keys_in_order(raised)
    _judged_once(data)
    aside = read(data, lambda c: batch(c, WORKSPACE, None, 0, 10, 10**6).records)
    assert not aside, f"set aside: {aside[:2]}"
    told = read(data, lambda c: set(c.execute(select(NOTIFICATION.c.id)).scalars()))
    assert told == raised_ids(data), "each alert has one notification"
    found.alerts = len(raised)
    return found


def unfinished(data: Path) -> dict[str, int]:
    """Return how much waits yet of what comes by itself: deliveries, ends of datasets, changes of rules."""
    now = time_ns()
    return read(
        data,
        lambda c: {
            "deliveries": deliveries.waiting(c),
            "datasets without a name": len(datasets.retired(c)),
            "rules not in force": len(rules.pending(c, now, now)),
        },
    )


def marked(data: Path, least: int) -> set[int]:
    """Return the numbers, from `least` on, of the marks that were judged."""

    def body(c: Connection) -> set[int]:
        rows = c.execute(select(ALERT.c.body).where(ALERT.c.rule.startswith("mark_")))
        return {msgspec.json.decode(row.body)["event"]["n"] for row in rows}

    return {number for number in read(data, body) if number >= least}


def raised_ids(data: Path) -> set[str]:
    """Return the ids of the alerts there are."""
    return read(data, lambda c: set(c.execute(select(ALERT.c.id)).scalars()))


def _as_sent(account: Account, dataset: str, rows: list[Body], found: Found) -> None:
    """Check rows without a key: all that was told, nothing that was not sent, each once and as sent."""
    times = Counter(row["n"] for row in rows)
    found.doubled += [account.sent[number] for number, count in times.items() if count > 1]
    found.lost += [
        one for one in account.of(dataset) if one.told and one.number not in times and not _too_old(one)
    ]
    for row in rows:
        one = account.sent.get(row["n"])
        assert one is not None and one.dataset == dataset, f"nobody sent {row} to {dataset}"
        assert _shown(row) == one.body, f"{dataset} has {row}, sent was {one.body}"


def _too_old(one: Sent) -> bool:
    """Return whether retention may have taken a record."""
    return one.dataset == KEPT and time() - one.at > RETENTION


def _in_order(account: Account, dataset: str, rows: list[Body]) -> None:
    last: dict[str, int] = {}
    for row in rows:
        one = account.sent[row["n"]]
        if account.may_be_late and not one.told:
            continue
        client = one.client
        before = last.get(client, 0)
        assert before <= row["n"], f"{dataset}: {row['n']} of {client} stands after {before}"
        last[client] = row["n"]


def _as_it_stands(data: Path, account: Account, dataset: str) -> int:
    """Check rows with a key: under each stands what was acknowledged last, or something sent later."""
    name = "n" if dataset == BRIEF else "id"
    rows = stored(data, WORKSPACE, dataset)
    there = {str(row[name]): _shown(row) for row in rows}
    assert len(there) == len(rows), f"{dataset} has a key twice"
    for (owner, key), states in list(account.standing.items()):
        if owner == dataset:
            actual = there.pop(key, None)
            assert actual in states, f"under {key} of {dataset} stands {actual}, expected was one of {states}"
            account.seen(dataset, key, actual)
    assert not there, f"nobody sent {list(there.items())[:3]} to {dataset}"
    return len(rows)


def _shown(row: Body) -> Body:
    return {name: value for name, value in row.items() if value is not None and name not in _OWN}


def _versions(data: Path) -> dict[str, Versions]:
    def body(c: Connection) -> dict[str, dict[int, int | None]]:
        found: dict[str, dict[int, int | None]] = {}
        for row in c.execute(select(RULE)).mappings():
            where = _WHERE.fullmatch(msgspec.json.decode(row["definition"])["where"])
            judges = where is not None and row["state"] == "active"
            found.setdefault(row["id"], {})[row["version"]] = int(where[1]) if judges and where else None
        return found

    return dict(read(data, body))


def _close(account: Account, rulings: Mapping[str, Versions]) -> None:
    """All that was sent so far is judged: no version made from here on has a say."""
    for one in account.sent.values():
        if one.most is None:
            one.most = max(rulings[f"on_{one.dataset}"])


def _raised(c: Connection) -> list[Raised]:
    rows = c.execute(select(ALERT.c.id, ALERT.c.rule, ALERT.c.body).where(ALERT.c.rule.startswith("on_")))
    shown = ((row.id, row.rule, msgspec.json.decode(row.body)) for row in rows)
    return [Raised(i, rule, body["ruleVersion"], body["event"], body["position"]) for i, rule, body in shown]


def _by_number(
    account: Account, rulings: Mapping[str, Versions], raised: Iterable[Raised], found: Found
) -> dict[int, Raised]:
    """Check each alert by itself: that a version in force gives it, under the id that its cause has."""
    alerts: dict[int, Raised] = {}
    for one in raised:
        number = one.event["n"]
        sent = account.sent.get(number)
        assert sent is not None and one.rule == f"on_{sent.dataset}", f"nobody sent the cause of {one}"
        if number in alerts:
            found.doubled.append(sent)
        packed = bytes.fromhex(one.position)
        pairs = ((0, 2), (2, 4), (4, 12), (12, 16))
        origin = Origin(*(int.from_bytes(packed[begin:end], "big") for begin, end in pairs))
        key = canonical_key([one.event["id"]]) if sent.dataset == SPREAD else b""
        assert one.id == alert_id(WORKSPACE, one.rule, one.version, key, origin)
        assert sent.most is not None and sent.least <= one.version <= sent.most, (
            f"{one.rule} judged {number} in version {one.version}, not in {sent.least} to {sent.most}"
        )
        assert _matches(rulings[one.rule], one.version, number), (
            f"{one} is of a record that it does not match"
        )
        alerts[number] = one
    return alerts


def _unexplained(one: Sent, rulings: Mapping[str, Versions], alerts: Mapping[int, Raised]) -> bool:
    """Return whether a record has no alert, and every version that may have judged it gives one."""
    if not (one.told and one.happens) or one.number in alerts:
        return False
    return next(_silent(one, rulings[f"on_{one.dataset}"]), None) is None


def _silent(one: Sent, versions: Versions, least: int = 0) -> Iterator[int]:
    """Yield the versions that may have judged a record and raise nothing."""
    assert one.most is not None
    for version in range(max(least, one.least), one.most + 1):
        if not _matches(versions, version, one.number):
            yield version


def _matches(versions: Versions, version: int, number: int) -> bool:
    spared = versions.get(version)
    return spared is not None and number % 4 != spared


def _judged_in_order(
    account: Account, rows: list[Body], versions: Versions, alerts: Mapping[int, Raised], found: Found
) -> None:
    """Check in the order of the log that no record was judged by an older version than one before it."""
    least = 0
    for row in rows:
        one = account.sent[row["n"]]
        alert = alerts.get(one.number)
        if alert is not None:
            assert alert.position == row["_id"], f"{alert} is not of {row}"
            assert alert.version >= least, f"{alert} is of an older version than {least}, in force before"
            least = alert.version
        else:
            silent = next(_silent(one, versions, least), None)
            if silent is None:  # no version from here on explains it
                found.missing.append(one)
            else:
                least = silent


def _judged_once(data: Path) -> None:
    """Check that rules remember as many alerts as there are: a repeat that was judged again would count."""
    fired = select(INSTANCE.c.rule, func.sum(INSTANCE.c.fired)).group_by(INSTANCE.c.rule)
    raised = select(ALERT.c.rule, func.count()).group_by(ALERT.c.rule)
    remembered, there = read(data, lambda c: [dict(c.execute(q).tuples().all()) for q in (fired, raised)])
    assert remembered == there, f"rules remember {remembered} alerts, and there are {there}"


def _keys_in_order(raised: list[Raised]) -> None:
    last: dict[Any, int] = {}
    for one in sorted(raised, key=lambda each: each.position):
        if one.rule == f"on_{KEYED}":
            key, number = one.event["id"], one.event["n"]
            assert last.get(key, 0) < number, f"{key}: {number} happened after {last[key]}"
            last[key] = number
