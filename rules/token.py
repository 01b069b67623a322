"""Tokens and what they may do."""

from dataclasses import dataclass
from typing import Final, Literal, cast, get_args

from rules.names import fold

Scope = Literal["read", "write", "rules", "admin"]
SCOPES: Final[frozenset[str]] = frozenset(get_args(Scope))


@dataclass(frozen=True, slots=True)
class Token:
    """A caller's rights: scopes on one workspace (None: on all), or on one dataset of it.

    `expires` is in Unix seconds. The secret itself is never kept, only its hash is, in the store.
    """

    id: str
    scopes: frozenset[Scope]
    workspace: str | None = None
    dataset: str | None = None
    title: str = ""
    expires: float | None = None

    @property
    def administrator(self) -> bool:
        """Whether it may do everything everywhere."""
        return self.workspace is None and "admin" in self.scopes


def may(token: Token, scope: Scope, workspace: str | None = None, dataset: str | None = None) -> bool:
    """Return whether `token` allows what needs `scope` on a workspace and, if given, a dataset.

    `admin` on a workspace contains the other three there. A token for one dataset never reaches what
    belongs to the workspace as a whole.
    """
    if token.administrator:
        return True
    if token.workspace is None or workspace is None or fold(token.workspace) != fold(workspace):
        return False
    if token.dataset is not None and (dataset is None or fold(token.dataset) != fold(dataset)):
        return False
    return scope in token.scopes or "admin" in token.scopes


def scopes(names: object) -> frozenset[Scope] | None:
    """Return `names` (a list of words) as scopes, or None if it is not one or holds another word."""
    if not isinstance(names, list) or not names or not all(n in SCOPES for n in names if isinstance(n, str)):
        return None
    if not all(isinstance(n, str) for n in names):
        return None
    return frozenset(cast(list[Scope], names))
