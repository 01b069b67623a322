"""A database goes on with another log: places in the one before must mean nothing in this one."""

from dataclasses import replace

import msgspec
from sqlalchemy import Connection

from rules.job import State, said
from storage import identity, jobs, rules


def adopt(connection: Connection, log: str, partitions: int, now: int) -> int:
    """Go on with the log of this identity, from its start; return its epoch.

    Its places get an epoch of their own, and the rules there are stay in force. The bytes of batch loads
    stayed in the other log: a load that has not ended ends as failed, and none can be retried. Nothing
    happens where this log is in use already. `now` is in ns.
    """
    if identity.current(connection) == log:
        return identity.log_epoch(connection, log)
    epoch = identity.log_epoch(connection, log, adopt=True)
    rules.adopt_in_force(connection, log, partitions)
    _end_loads(connection, now)
    return epoch


def _end_loads(connection: Connection, now: int) -> None:
    message = (
        "The broker goes on with another log, and what was left to store of this load is in the old one."
    )
    while open_jobs := jobs.waiting(connection, 100):
        for job in open_jobs:
            progress = said(job.progress, now, "error", message)
            ended = replace(
                job,
                status=State.ERROR,
                progress=msgspec.structs.replace(progress, message=message),
                ended_at=now,
            )
            jobs.change(connection, job, ended, now)
    jobs.drop_bytes(connection, now + 1)
