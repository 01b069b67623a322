"""A condition: read once, then asked about every record. The face of this package.

```
condition = read_condition('temp > 30 && station in ["a", "b"]')
condition.matches({"temp": 31.5, "station": "a"})    # True
```
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from rules.condition.emit import Test, emit
from rules.condition.functions import EvaluationError, Pattern
from rules.condition.instants import with_instants
from rules.condition.parse import parse
from rules.condition.tokens import ConditionError
from rules.condition.tree import Call, Const, Node, Path, children
from rules.limits import Limits
from rules.schema.dataset import ColumnType

__all__ = ["Condition", "ConditionError", "EvaluationError", "read_condition"]

_DEFAULT_LIMITS = Limits()


@dataclass(frozen=True)
class Condition:
    """A condition that can be asked.

    `tree` is what is evaluated: as parsed or, where columns were given, with its instants. `fields` are the
    properties of a record that it looks at. `matches(record)` says whether it holds for a record in stored
    form (a property that is absent is null) and raises EvaluationError where it has no result.
    """

    source: str
    tree: Node
    fields: frozenset[str]
    matches: Test = field(repr=False, compare=False)


def read_condition(
    source: str,
    limits: Limits = _DEFAULT_LIMITS,
    columns: Mapping[str, ColumnType] | None = None,
) -> Condition:
    """Return the condition that `source` says, compiled.

    With `columns`, date-time columns are compared as instants (see `rules.condition.instants`); whether the
    condition fits the columns is for `rules.condition.types.misfits` to say, not an error here.

    Raises: ConditionError, with the place, where the source is no condition or passes a limit.
    """
    tree = parse(source, limits)
    if columns is not None:
        tree = with_instants(tree, columns)
    fields: set[str] = set()
    patterns: dict[str, Pattern] = {}
    todo = [tree]
    while todo:
        node = todo.pop()
        todo += children(node)
        match node:
            case Path():
                fields.add(node.field)
            case Call("matches", _, Const(str(pattern))):
                patterns[pattern] = Pattern(pattern)
    return Condition(source, tree, frozenset(fields), emit(tree, patterns))
