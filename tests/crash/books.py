"""What a broker has stored and alerted, compared with what it told."""

from collections import Counter
from pathlib import Path

from rules.envelope import Origin, Record
from rules.ids import alert_id
from storage import alerts
from storage.alerts import Wanted
from tests.crash.load import EVERY, KEYED, PLAIN, WORKSPACE, Account, Load
from tests.stage.patience import eventually
from tests.stage.stored import read, stored

DEADLINE = 25.0


def origin_of(record: Record) -> Origin:
    """Return the origin that a record's `_id` is."""
    packed = bytes.fromhex(record["_id"])
    return Origin(
        *(int.from_bytes(packed[start:end], "big") for start, end in ((0, 2), (2, 4), (4, 12), (12, 16)))
    )


def owed(data: Path) -> set[str]:
    """Return the ids of the alerts that the rules give over what is stored."""
    return {
        alert_id(WORKSPACE, f"fifth_{dataset}", 1, b"", origin_of(record))
        for dataset in (PLAIN, KEYED)
        for record in stored(data, WORKSPACE, dataset)
        if record["n"] % EVERY == 0
    }


def raised(data: Path) -> list[str]:
    """Return the ids of the alerts there are."""
    found = read(data, lambda c: alerts.listing(c, Wanted(WORKSPACE, limit=100_000))).alerts
    return [alert.id for alert in found]


def stored_once(data: Path, account: Account) -> None:
    """Check that all that was acknowledged is stored, nothing that was not sent, and nothing twice."""
    for dataset in (PLAIN, KEYED):
        found = Counter(record["n"] for record in stored(data, WORKSPACE, dataset))
        missing = account.told[dataset] - found.keys()
        assert not missing, (
            f"{len(missing)} acknowledged records of {dataset} are lost: {sorted(missing)[:5]}"
        )
        twice = [n for n, times in found.items() if times > 1]
        assert not twice, f"{len(twice)} records of {dataset} are stored twice: {twice[:5]}"
        assert found.keys() <= account.sent[dataset]


def alerted_once(data: Path) -> None:
    """Check that the alerts there are, are those that the rules give over what is stored."""
    found, due = raised(data), owed(data)
    assert len(found) == len(set(found))
    assert set(found) == due, f"{len(due - set(found))} are missing, {len(set(found) - due)} are too many"


async def settled(load: Load) -> None:
    """Wait until the broker has done all it was given, then check that it is right and stays so."""
    data = load.broker.data
    await eventually(lambda: stored_once(data, load.account), DEADLINE, every=0.2)
    for dataset in (PLAIN, KEYED):  # behind these, each partition has applied everything before them
        for _ in range(EVERY):
            assert await load.write(dataset, 1, wait=True)
    await eventually(lambda: alerted_once(data), DEADLINE, every=0.2)
    stored_once(data, load.account)
