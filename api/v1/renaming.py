"""A dataset under another name: what is named for it goes with it."""

from typing import Final, NamedTuple

from sqlalchemy import Connection

from api.services import Services
from rules.alerting.rule import Rule, next_version
from rules.errors import JOB_STATE, PENDING, TAKEN, VERSION_CONFLICT, Later, Problem
from rules.names import dataset_name, fold
from rules.schema.dataset import Dataset
from storage import datasets, jobs, quarantine, rules, tokens
from streams.awaiting import on_loop
from streams.log import LogError

_OPEN: Final = 1_000


class Renamed(NamedTuple):
    """The dataset under its new name, and its rules in the versions that are on that name."""

    dataset: Dataset
    rules: list[Rule]


async def rename(services: Services, old: Dataset, name: str) -> Renamed:
    """Give a dataset another name, in one transaction with its rules, tokens bound to it, and its quarantine.

    Returns once the rules' versions are in force. Raises: Problem: bad_name, taken, job_state while a load
    into it is under way, version_conflict, pending where the rules come into force later by themselves.
    """
    new = old.named(dataset_name(name))
    now = services.clock()

    def body(c: Connection) -> list[Rule]:
        _refuse_loads(c, old)
        there = datasets.find(c, old.workspace, new.name)
        if there is not None and there.id != old.id:
            raise Problem(TAKEN, f"There is a dataset {there.name!r} in {old.workspace!r} already.")
        if not datasets.rename(c, old, new):
            raise Problem(VERSION_CONFLICT, f"The dataset {old.name!r} was changed meanwhile; try again.")
        tokens.rebind(c, old.workspace, old.name, new.name)
        quarantine.rename(c, old.id, new.name)
        return _moved(c, old, new, now)

    moved = await on_loop(services.store.write(body))
    services.catalogue.put(new)
    services.gate.know(*await on_loop(services.store.read(tokens.known)))
    try:
        for rule in moved:
            await services.announcer.announce(rule)
    except (LogError, Later) as error:
        why = error.shown if isinstance(error, Later) else error
        detail = f"The dataset is called {new.name!r} now; its rules follow by themselves: {why}."
        raise Problem(PENDING, detail) from error
    return Renamed(new, moved)


def _moved(c: Connection, old: Dataset, new: Dataset, now: int) -> list[Rule]:
    """Keep the next version of every rule on the dataset, on its new name."""
    moved = []
    for rule in rules.listing(c, old.workspace):
        if fold(rule.on) == old.folded:
            following = next_version(rule, on=new.name, updated_at=now)
            if not rules.add_version(c, following):
                raise Problem(VERSION_CONFLICT, f"The rule {rule.id!r} was changed meanwhile; try again.")
            moved.append(following)
    return moved


def _refuse_loads(c: Connection, dataset: Dataset) -> None:
    place = (fold(dataset.workspace), dataset.folded)
    for job in jobs.waiting(c, _OPEN):
        if any((fold(job.workspace), fold(source.dataset)) == place for source in job.definition.sources):
            raise Problem(
                JOB_STATE,
                f"The job {job.id} works at {dataset.name!r}; rename it once that has ended or is cancelled.",
            )
