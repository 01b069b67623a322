"""Where to die while the broker starts, the first time and later, and while it stops."""

from typing import Final

from tests.crash.point import Only, Point, When
from tests.crash.seen import of_file

_LOGS: Final = "streams.embedded.log"

_ONCE: Final[tuple[tuple[str, str, str, When, Only | None, int], ...]] = (
    ("drafted", "token drafted > token", "pathlib:Path.replace", "before", of_file("admin-token"), 1),
    ("token", "token > locked", "infra.crown:admin_token", "after", None, 1),
    ("locked", "locked > identity drafted", f"{_LOGS}:identify", "before", None, 1),
    ("unnamed", "identity drafted > identity", "pathlib:Path.rename", "before", of_file("log.json"), 1),
    ("identity", "identity > topics", f"{_LOGS}:identify", "after", None, 1),
    ("one_topic", "topics > database", f"{_LOGS}:open_chain", "after", None, 1),
    ("database", "database > tables", "infra.ground:_store", "after", None, 1),
    ("some_tables", "tables > migrated", "alembic.op:create_table", "after", None, 12),
    ("migrated", "migrated > introduced", "infra.ground:migrate", "after", None, 1),
    ("introduced", "introduced > met", "infra.ground:_introduce", "after", None, 1),
    ("met", "met > some claims", "streams.catalogue:Catalogue.renew", "before", None, 1),
)
_FIRST: Final = tuple(
    Point(f"start.{name}", gap, target, when, only, reached="first start", most=most)
    for name, gap, target, when, only, most in _ONCE
)

_LATER: Final = tuple(
    Point(f"start.{name}", gap, target, reached="starting", most=most)
    for name, gap, target, most in (
        ("recovered", "topics > database", "streams.embedded.chain:recover_segment", 2),
        ("introduced_again", "introduced > met", "infra.ground:_introduce", 1),
        ("some_claims", "some claims > claims", "streams.agents.persist:claim", 3),
        ("claims", "claims > door", "infra.behind:start_agents", 1),
    )
)

START: Final = (
    *_FIRST,
    *_LATER,
    Point(
        "start.replaying",
        "claims > door",
        "streams.agents.persist:Persist._commit",
        reached="starting",
        needs="persist.folded",
        most=1,
    ),
)

STOP: Final = (
    Point("stop.asked", "asked > door closed", "infra.server:Server.stop", reached="stopping", most=1),
    Point(
        "stop.agents",
        "door closed > agents ended",
        "streams.agents.worker:Worker.stop",
        reached="stopping",
        most=2,
    ),
    Point("stop.log", "agents ended > log closed", f"{_LOGS}:EmbeddedLog.close", reached="stopping", most=1),
)
