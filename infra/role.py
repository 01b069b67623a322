"""Which parts of the broker a process runs: all of them, those in front, or those behind."""

from dataclasses import dataclass
from typing import Final

from infra.carrier import EMBEDDED
from infra.settings import Settings, WrongSetting


@dataclass(frozen=True, slots=True)
class Role:
    """`name` is the command. `receives`: it answers requests; `works`: it stores, judges, delivers, loads."""

    name: str
    receives: bool
    works: bool


SERVE: Final = Role("serve", receives=True, works=True)
API: Final = Role("api", receives=True, works=False)
WORK: Final = Role("work", receives=False, works=True)


def check_role(role: Role, settings: Settings) -> None:
    """Let a role run with these settings. Raises: WrongSetting, where its other half could not reach them."""
    if role is not SERVE and settings.log == EMBEDDED:
        raise WrongSetting(
            f"'sluice {role.name}' shares its log and its database with other processes: set "
            f"SLUICE_LOG=kafka://… and SLUICE_DATABASE=postgresql://…, or run 'sluice serve'."
        )
