"""What a run tells: a line a kill, and a line of JSON for the table at its end."""

import json
import os
from pathlib import Path

from tests.crash.account import Account
from tests.crash.books import Found

POINT, RANDOM = "a named point", "any moment"


def said(kind: str, name: str, account: Account, found: Found, seconds: float, kills: int) -> None:
    """Print how a kill went; `kind` is its line in the table, `seconds` is what the next start took.

    Raises: AssertionError, where something was lost, doubled or not alerted.
    """
    print(
        f"  {name:<28} started again in {seconds:4.1f} s; so far {account.acknowledged} acknowledged, "
        f"{found.stored} stored, {found.alerts} alerts",
        flush=True,
    )
    file = os.environ.get("CRASH_REPORT")
    if file is not None:
        line = {
            "kind": kind,
            "name": name,
            "kills": kills,
            "account": f"{os.getpid()} {account.name}",
            "acknowledged": account.acknowledged,
            "stored": found.stored,
            "alerts": found.alerts,
            "lost": len(found.lost),
            "doubled": len(found.doubled),
            "missing": len(found.missing),
        }
        with Path(file).open("a") as report:
            report.write(json.dumps(line) + "\n")
    found.right()
