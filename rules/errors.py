"""The one catalogue of everything that can go wrong, and the exceptions that carry it.

A `Code` is stable: callers may match on its name. Its `status` is a hint for the HTTP door, its
`retriable` says whether the same request may succeed later without being changed.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final


@dataclass(frozen=True, slots=True)
class Code:
    """One kind of failure.

    `name` is what callers match, `status` the HTTP status it usually becomes, `sentence` what
    happened in general; an occurrence adds its own detail.
    """

    name: str
    status: int
    sentence: str
    retriable: bool = False


CATALOGUE: Final[dict[str, Code]] = {}


def _code(name: str, status: int, sentence: str, *, retriable: bool = False) -> Code:
    code = Code(name, status, sentence, retriable)
    assert name not in CATALOGUE, name
    CATALOGUE[name] = code
    return code


# The request as a whole
BAD_JSON = _code("bad_json", 400, "The body is not valid JSON.")
BAD_ENCODING = _code("bad_encoding", 400, "The body could not be decompressed.")
BAD_PARAMETER = _code("bad_parameter", 400, "A parameter has a value that is not allowed.")
BAD_NAME = _code("bad_name", 400, "A name has a form that is not allowed.")
BAD_REQUEST = _code("bad_request", 400, "The request can't be understood.")
NO_TOKEN = _code("no_token", 401, "The request carries no token.")
BAD_TOKEN = _code("bad_token", 401, "The token is not known, is revoked, or has expired.")
FORBIDDEN = _code("forbidden", 403, "The token does not allow this.")
NOT_FOUND = _code("not_found", 404, "There is nothing at this address.")
DATASET_NOT_FOUND = _code("dataset_not_found", 404, "There is no such dataset.")
RULE_NOT_FOUND = _code("rule_not_found", 404, "There is no such rule.")
ALERT_NOT_FOUND = _code("alert_not_found", 404, "There is no such alert.")
SUBSCRIPTION_NOT_FOUND = _code("subscription_not_found", 404, "There is no such subscription.")
WRITE_NOT_FOUND = _code("write_not_found", 404, "No write was given this id in the last 7 days.")
QUARANTINE_NOT_FOUND = _code("quarantine_not_found", 404, "There is no such record in quarantine.")
JOB_NOT_FOUND = _code("job_not_found", 404, "There is no such job.")
METHOD_NOT_ALLOWED = _code("method_not_allowed", 405, "This address does not take this method.")
TAKEN = _code("taken", 409, "The name is taken.")
VERSION_CONFLICT = _code("version_conflict", 409, "Somebody else changed it meanwhile.", retriable=True)
IDEMPOTENCY_CONFLICT = _code(
    "idempotency_conflict", 409, "The Idempotency-Key was used before with another request."
)
SUBSCRIPTION_DISABLED = _code(
    "subscription_disabled", 409, "The subscription is disabled; enable it, and it delivers what it owes."
)
ALREADY_RESOLVED = _code("already_resolved", 409, "The alert is resolved; there is nothing to acknowledge.")
JOB_STATE = _code("job_state", 409, "The job is in a state that does not allow this.")
BODY_TOO_LARGE = _code("body_too_large", 413, "The body is larger than the limit.")
UNSUPPORTED_ENCODING = _code("unsupported_encoding", 415, "This Content-Encoding is not supported.")
UNSUPPORTED_TYPE = _code("unsupported_type", 415, "This Content-Type is not supported here.")

# A declaration
BAD_SCHEMA = _code("bad_schema", 422, "The schema is not one that a dataset can have.")
BAD_MAPPING = _code("bad_mapping", 422, "The column mapping does not fit the schema.")
PARTITION_NOT_IN_KEY = _code(
    "partition_not_in_key", 422, "partitionBy must name columns of the key, or required columns without one."
)
SCHEMA_CHANGE_REFUSED = _code(
    "schema_change_refused", 422, "The schema can't change in this way while records are stored."
)
SCAN_LIMIT = _code(
    "scan_limit", 422, "The query would have to look at more records than one request may look at."
)
NOT_A_SELECT = _code("not_a_select", 422, "The query is not one SELECT.")
BAD_QUERY = _code("bad_query", 422, "The query can't be answered over the datasets of its workspace.")
QUERY_TOO_LARGE = _code("query_too_large", 422, "The query takes more memory than one query may.")
BAD_CONDITION = _code("bad_condition", 422, "The condition is not valid.")
BAD_RULE = _code("bad_rule", 422, "The rule is not valid.")
RULE_KEY_LACKS_PARTITION = _code(
    "rule_key_lacks_partition", 422, "The rule's key must contain the columns of the dataset's partitionBy."
)
TOO_MANY_RULES = _code("too_many_rules", 422, "The workspace has as many rules as it may have.")
BAD_SUBSCRIPTION = _code("bad_subscription", 422, "The subscription is not valid.")
TARGET_REFUSED = _code("target_refused", 422, "Webhooks may not go to this address.")

# A record among others
ALL_REFUSED = _code("all_refused", 422, "No record of the write was accepted.")
LOAD_FAILED = _code("load_failed", 422, "The load ended without storing its records.")
ATOMIC_REFUSED = _code("atomic_refused", 422, "A record was refused, and atomic=true refuses all with it.")
NOT_AN_OBJECT = _code("not_an_object", 422, "A record must be a JSON object.")
BAD_LINE = _code("bad_line", 422, "The line is no JSON object, or no line protocol.")
BAD_ROW = _code("bad_row", 422, "The row of a CSV can't be read, or does not fit its header.")
BAD_FIELD_NAME = _code("bad_field_name", 422, "A property has a name that is not allowed.")
WRONG_TYPE = _code("wrong_type", 422, "A value has another type than its column.")
SCHEMA_VIOLATION = _code("schema_violation", 422, "A value breaks a rule of the dataset's schema.")
MISSING_KEY = _code("missing_key", 422, "A key column is missing or null.")
UNKNOWN_FIELD = _code("unknown_field", 422, "The dataset is strict and has no such column.")
NUMBER_OUT_OF_RANGE = _code("number_out_of_range", 422, "A number is outside what its column can hold.")
BAD_TEXT = _code("bad_text", 422, "A text holds U+0000 or a lone surrogate.")
BAD_MOMENT = _code("bad_moment", 422, "A date or date-time can't be read as one.")
RECORD_TOO_LARGE = _code("record_too_large", 422, "A record is larger than the limit.")
TOO_DEEP = _code("too_deep", 422, "A value is nested deeper than the limit.")
TOO_MANY_COLUMNS = _code("too_many_columns", 422, "The dataset has as many columns as it may have.")
DATASET_GONE = _code("dataset_gone", 422, "The dataset was deleted before the record was stored.")
SCHEMA_CHANGED = _code(
    "schema_changed", 422, "The record does not fit its dataset since the dataset was changed."
)

# Now is not the time
QUOTA = _code("quota", 429, "The token's quota is used up.", retriable=True)
OVERLOADED = _code("overloaded", 503, "The broker has as much in flight as it may have.", retriable=True)
BACKLOG = _code("backlog", 503, "The store is too far behind the log.", retriable=True)
DISK_LOW = _code("disk_low", 503, "Free disk space is below the limit.", retriable=True)
LOG_UNAVAILABLE = _code("log_unavailable", 503, "The log does not take writes now.", retriable=True)
OUTCOME_UNKNOWN = _code(
    "outcome_unknown", 503, "The log did not answer; the write may be stored yet.", retriable=True
)
STORE_UNAVAILABLE = _code("store_unavailable", 503, "The database does not answer now.", retriable=True)
SQL_UNAVAILABLE = _code(
    "sql_unavailable", 503, "The database does not let analysts in; its operator has to.", retriable=True
)
STARTING = _code("starting", 503, "The broker is starting.", retriable=True)
STOPPING = _code("stopping", 503, "The broker is stopping.", retriable=True)
PENDING = _code("pending", 503, "The change is kept and will be in force by itself.", retriable=True)
TOO_SLOW = _code("too_slow", 504, "It was not done in time; it goes on and will be done.", retriable=True)
QUERY_TOO_SLOW = _code("query_too_slow", 504, "The query took longer than a query may.", retriable=True)
INTERNAL = _code("internal", 500, "Something in the broker failed; its log says what.", retriable=True)


@dataclass(frozen=True, slots=True)
class Refusal:
    """One record that was not taken: its index in the write, where in it, why.

    `path` is a JSON Pointer into the record ("" for the record itself).
    """

    index: int
    path: str
    code: Code
    message: str

    def to_json(self) -> dict[str, Any]:
        """Return `{index, path, code, message, retriable}`, as the contract's `errors` lists it."""
        return {
            "index": self.index,
            "path": self.path,
            "code": self.code.name,
            "message": self.message,
            "retriable": self.code.retriable,
        }


class Problem(Exception):
    """A request that can't be served; `detail` says what happened, where, and what to do.

    `extra` is merged into the answer's body, `retry_after` (whole seconds) becomes the header.
    """

    def __init__(
        self,
        code: Code,
        detail: str = "",
        *,
        extra: Mapping[str, Any] | None = None,
        retry_after: int | None = None,
    ) -> None:
        super().__init__(f"{code.name}: {detail or code.sentence}")
        self.code = code
        self.detail = detail or code.sentence
        self.extra: Mapping[str, Any] = extra or {}
        self.retry_after = (
            retry_after if retry_after is not None else (1 if code.status in (429, 503) else None)
        )


class Later(Exception):
    """The database can't do this now and can do it later: a lock, a lost connection, a full disk."""

    @property
    def shown(self) -> str:
        """What a caller is told of it."""
        return str(self)


class Unreachable(Later):
    """There is no way to the database now. Its text names hosts and users, so no caller is told it."""

    @property
    def shown(self) -> str:
        """What a caller is told of it."""
        return "it can't be reached"


class Never(Exception):
    """The database refuses this value for good; `code` and the sentence say why."""

    def __init__(self, code: Code, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class Halt(Exception):
    """A partition can't go on; the message says what to do, and holds nothing of what callers sent."""


@dataclass(slots=True)
class Refusals:
    """The refusals of one write, bounded: all are counted, the first `keep` are kept."""

    keep: int = 100
    count: int = 0
    first: list[Refusal] = field(default_factory=list)

    @property
    def room(self) -> bool:
        """Whether another one is kept, so that its sentence is worth making."""
        return len(self.first) < self.keep

    def add(self, refusal: Refusal) -> None:
        """Count a refusal, and keep it if there is room."""
        self.count += 1
        if len(self.first) < self.keep:
            self.first.append(refusal)
