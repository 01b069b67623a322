"""`POST /v1/record/{workspace}/{dataset}` and `/v1/write/…`: a few records, fast."""

from typing import Any, Final

from api.decode.records import decode
from api.entry.answer import Answer, Headers, json_answer, problem
from api.lane.door import Draft, Options, Reading, Request, Target, Written
from rules.envelope import Handling
from rules.errors import BAD_PARAMETER, NOT_FOUND, Problem
from rules.limits import Limits

_LIMITS: Final = Limits()
_HANDLING: Final = {
    "ignore": Handling.IGNORE,
    "replace": Handling.REPLACE,
    "merge": Handling.MERGE,
    "true": Handling.REPLACE,
    "false": Handling.IGNORE,
}


class RecordDoor:
    """The native door. `/v1/record` answers once it is logged, `/v1/write` once it is stored."""

    large = False
    passwords = False

    def __init__(self, *, wait: bool, limits: Limits = _LIMITS) -> None:
        self.waits = wait
        self._limits = limits
        self._default = Options(wait=wait)

    def target(self, request: Request) -> Target:
        segments = request.path.split("/")
        if len(segments) != 5 or not segments[3] or not segments[4]:
            raise Problem(NOT_FOUND, f"Send it to {'/'.join(segments[:3])}/WORKSPACE/DATASET.")
        return Target(segments[3], segments[4])

    def read(self, request: Request, target: Target, body: bytes) -> Reading:
        options = self._options(request) if request.query else self._default
        decoded = decode(body, request.headers.get(b"content-type"), self._limits)
        assert target.dataset is not None
        draft = Draft(target.dataset, decoded.records, decoded.plain, decoded.indexes, len(body))
        return Reading([draft], options, decoded.refusals, decoded.refused)

    def _options(self, request: Request) -> Options:
        params = request.params
        options = Options(
            wait=params.flag("wait", self.waits),
            event=params.flag("event", True),
            persist=params.flag("persist", True),
            handling=_HANDLING[params.choice("duplicateKeyHandling", tuple(_HANDLING), "ignore")],
            create=params.flag("createDatasetOnDemand", True),
            atomic=params.flag("atomic", False),
            timeout=params.number("timeout", 10.0, 0.1, 60.0),
        )
        if not options.event and not options.persist:
            raise Problem(BAD_PARAMETER, "event=false and persist=false together would do nothing.")
        return options

    def answer(self, request: Request, written: Written) -> Answer:
        body: dict[str, Any] = {"success": True, "message": f"wrote {written.accepted} messages"}
        if written.write_id is not None:
            body["writeId"] = written.write_id
        body |= {"ack": written.ack, "accepted": written.accepted, "rejected": written.rejected}
        if written.counts is not None:
            body |= written.counts
        status = 202 if written.ack == "logged" else 200
        if written.rejected:
            status = 207
            body["errors"] = written.errors
        return json_answer(status, body, request.params.ignored)

    def refuse(self, refused: Problem, headers: Headers, _: Request | None = None) -> Answer:
        return problem(refused, headers)
