"""The face of a server for development, as `sluice infra` starts and stops it."""

from typing import Protocol


class Engine(Protocol):
    """A server that keeps its data, its log and its process id in one directory.

    It is made with that directory: `Postgres(data)`, `Kafka(data)`.
    """

    name: str
    """`kafka` or `postgres`; its process id stands in `<data>/<name>.pid`."""

    def missing(self) -> str | None:
        """Return what this machine lacks to run it, with the command that installs it; None if nothing."""
        ...

    def up(self) -> str:
        """Start it where it does not run and wait until it serves.

        Returns its line for `infra.env`, such as `SLUICE_LOG=kafka://127.0.0.1:19092`; the address stays the
        same over the same data. Raises: `infra.dev.processes.EngineError`, with a sentence.
        """
        ...

    def down(self) -> None:
        """Stop it, by the process id in `<data>/<name>.pid`; nothing where it does not run."""
        ...
