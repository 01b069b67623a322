"""The front doors of line protocol: `/api/v2/write`, `/write` (version 1) and `/api/v3/write_lp`."""

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from api.entry.answer import Answer, Headers
from api.influx.answers import (
    HEADERS,
    Errors,
    kept,
    listed,
    listed_with_lines,
    sentence_of,
    status_of,
    v1_answer,
    v2_answer,
    v3_answer,
    waiting,
)
from api.influx.params import (
    PARAMETERS,
    V1_UNITS,
    V2_UNITS,
    V3_UNITS,
    bucket_asked,
    options_asked,
    organization_asked,
    own_workspace,
    unit_asked,
)
from api.influx.recognise import recognise
from api.influx.skeletons import Skeletons
from api.lane.door import Door, Draft, Points, Reading, Request, Target, Written
from api.lane.measured import of_another
from rules.errors import BAD_PARAMETER, BODY_TOO_LARGE, Problem
from rules.limits import Limits
from rules.names import fold, mapped_dataset
from rules.schema.points import Block
from streams.catalogue import Catalogue

_WORDS: Final = {
    401: "unauthorized access",
    403: "insufficient permissions for write",
}


class V2Door:
    """Write line protocol as InfluxDB 2's clients do. 204 says that it is logged, with `wait=true` stored."""

    large = True
    passwords = False
    units: Mapping[str, int] = V2_UNITS

    def __init__(
        self, catalogue: Catalogue, limits: Limits, clock: Callable[[], int], *, partial: bool
    ) -> None:
        self._catalogue = catalogue
        self._limits = limits
        self._clock = clock
        self._partial = partial
        self._skeletons = Skeletons()

    def target(self, request: Request) -> Target:
        for name in PARAMETERS:
            request.params.text(name)
        return Target(organization_asked(request.params, request.token, self._workspaces), None)

    def bucket(self, request: Request, workspace: str) -> str:
        """Return the bucket that a request names. Raises: Problem(not_found)."""
        return bucket_asked(request.params.text("bucket"), lambda: self._buckets(workspace))

    def read(self, request: Request, target: Target, body: bytes) -> Reading:
        bucket = self.bucket(request, target.workspace)
        unit = unit_asked(request.params, self.units)
        options = options_asked(request.params, partial=self._partial)
        now = self._clock()
        found = recognise(body, unit, now - now % (unit or 1), self._skeletons, self._limits)
        drafts = [
            self._draft(target.workspace, bucket, name, blocks, len(body))
            for name, blocks in _by_measurement(found.blocks, self._limits.measurements).items()
        ]
        return Reading(drafts, options, found.refusals.first, found.refusals.count)

    def answer(self, request: Request, written: Written) -> Answer:
        headers = request.params.ignored
        if written.write_id is not None:
            headers = (*headers, (b"sluice-write-id", written.write_id.encode()))
        if not written.rejected:
            return Answer(204, b"", (*HEADERS, *headers))
        return self.refused(request, written.errors, written.rejected, written.accepted > 0, headers)

    def refuse(self, problem: Problem, headers: Headers, request: Request | None = None) -> Answer:
        errors = problem.extra.get("errors")
        agent = b"" if request is None else request.headers.get(b"user-agent", b"")
        headers = (*headers, *waiting(problem, agent, time.time()))
        if errors and problem.code.status == 422:
            return self.refused(request, errors, problem.extra.get("rejected", len(errors)), False, headers)
        return self.told(problem, headers)

    def refused(
        self,
        request: Request | None,  # noqa: ARG002
        errors: Errors,
        rejected: int,
        some: bool,
        headers: Headers,
    ) -> Answer:
        """Word which lines were refused; `some` others were written."""
        message = sentence_of(errors, rejected, some=some)
        more = {"line": errors[0]["index"] + 1, "errors": listed(errors)}
        return v2_answer(status_of(errors), message, more, headers)

    def told(self, problem: Problem, headers: Headers) -> Answer:
        """Word any other problem."""
        status = problem.code.status
        return v2_answer(status, _WORDS.get(status, problem.detail), kept(problem), headers)

    def _draft(self, workspace: str, bucket: str, measurement: str, blocks: list[Block], size: int) -> Draft:
        points = Points(bucket, measurement, blocks)
        name = mapped_dataset(bucket, measurement)
        if of_another(self._catalogue.known(workspace, name), points):
            name = points.apart
        return Draft(name, [], plain=False, indexes=None, size=size, points=points)

    def _workspaces(self) -> Iterable[str]:
        return {dataset.workspace for dataset in self._catalogue.every()}

    def _buckets(self, workspace: str) -> Iterable[str]:
        mine = (dataset for dataset in self._catalogue.every() if fold(dataset.workspace) == fold(workspace))
        return {dataset.labels["bucket"] for dataset in mine if "bucket" in dataset.labels}


class V1Door(V2Door):
    """Write line protocol as InfluxDB 1's clients do: `db` and `rp`, a token as password."""

    passwords = True
    units = V1_UNITS

    def target(self, request: Request) -> Target:
        for name in PARAMETERS:
            request.params.text(name)
        return Target(own_workspace(request.token), None)

    def bucket(self, request: Request, workspace: str) -> str:  # noqa: ARG002
        database, policy = request.params.text("db"), request.params.text("rp")
        if not database:
            raise Problem(BAD_PARAMETER, "database is required")
        return f"{database}/{policy}" if policy else database

    def refused(
        self,
        request: Request | None,  # noqa: ARG002
        errors: Errors,
        rejected: int,
        some: bool,
        headers: Headers,
    ) -> Answer:
        message = sentence_of(errors, rejected, some=some)
        return v1_answer(status_of(errors), message, headers)

    def told(self, problem: Problem, headers: Headers) -> Answer:
        if problem.code.status == 401:
            headers = (*headers, (b"www-authenticate", b'Basic realm="InfluxDB"'))
        return v1_answer(problem.code.status, problem.detail, headers)


class V3Door(V1Door):
    """Write line protocol as InfluxDB 3's clients do; refused lines come back with their text."""

    units = V3_UNITS

    def bucket(self, request: Request, workspace: str) -> str:
        database = request.params.text("db")
        if not database:
            raise Problem(BAD_PARAMETER, "missing query parameter db")
        return bucket_asked(database, lambda: self._buckets(workspace))

    def read(self, request: Request, target: Target, body: bytes) -> Reading:
        request.notes["body"] = body
        return super().read(request, target, body)

    def refused(
        self,
        request: Request | None,
        errors: Errors,
        rejected: int,  # noqa: ARG002
        some: bool,
        headers: Headers,
    ) -> Answer:
        body = b"" if request is None else request.notes.get("body", b"")
        message = "partial write of line protocol occurred" if some else "line protocol parsing error"
        return v3_answer(status_of(errors), message, listed_with_lines(errors, body), headers)

    def told(self, problem: Problem, headers: Headers) -> Answer:
        return v3_answer(problem.code.status, problem.detail, (), headers)


def influx_doors(
    catalogue: Catalogue, limits: Limits, clock: Callable[[], int], *, partial: bool
) -> dict[str, Door]:
    """Return doors by their paths. `partial` is the setting: whether good lines are written beside bad."""
    return {path: made(catalogue, limits, clock, partial=partial) for path, made in DOORS.items()}


DOORS: Final[dict[str, type[V2Door]]] = {
    "/api/v2/write": V2Door,
    "/write": V1Door,
    "/api/v3/write_lp": V3Door,
}


def _by_measurement(blocks: list[Block], most: int) -> dict[str, list[Block]]:
    found: dict[str, list[Block]] = {}
    for block in blocks:
        found.setdefault(block.shape.measurement, []).append(block)
    if len(found) > most:
        raise Problem(
            BODY_TOO_LARGE,
            f"The body has points of {len(found)} measurements; {most} are allowed. Send it in parts.",
        )
    return found
