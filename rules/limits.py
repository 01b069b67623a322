"""Sizes and depths that bound what a request, a record and a rule may be."""

from dataclasses import dataclass

KB = 1024
MB = 1024 * KB


@dataclass(frozen=True, slots=True)
class Limits:
    """Every bound on a single request, record or rule. Bytes unless said otherwise."""

    wire_bytes: int = 10 * MB
    body_bytes: int = 50 * MB
    lines_wire_bytes: int = 32 * MB
    lines_body_bytes: int = 250 * MB
    lines: int = 2_000_000
    measurements: int = 1_000
    record_bytes: int = 1 * MB
    records: int = 100_000
    columns: int = 400
    nesting: int = 64
    errors_listed: int = 100
    envelope_bytes: int = 1 * MB
    part_bytes: int = 512 * KB
    condition_bytes: int = 4 * KB
    condition_depth: int = 32
    condition_nodes: int = 500
    list_literal: int = 1_000
    rules_per_workspace: int = 10_000
    message_bytes: int = 4 * KB
    key_columns: int = 32
    alerts_page: int = 1_000
    name_chars: int = 64
    field_chars: int = 256
    idempotency_chars: int = 255
