"""What tells one call of a function from another: whose it is, what it carries, on which thread it runs."""

from pathlib import Path
from threading import current_thread
from typing import Any

import msgspec

from rules.envelope import DatasetEnd, Delete
from streams.agents import judge
from streams.wire import read_word
from tests.crash.point import Only


def on_thread(name: str) -> Only:
    """The call is made on this thread."""
    return lambda *_, **__: current_thread().name == name


def of_role(role: str) -> Only:
    """It is a transaction of this agent: `lock(connection, place, first)`, `advance(connection, place)`."""
    return lambda _, place, *__: place.role == role


def of_topic(name: str) -> Only:
    """It is this topic's: a method of `Topic`."""
    return lambda topic, *_: topic.name == name


def of_file(suffix: str, folder: str | None = None) -> Only:
    """The path is of such a file."""

    def check(path: Path, *target: Any, **_: Any) -> bool:
        # a draft is renamed to what it is
        name = str(target[0] if target else path)
        return name.endswith(suffix) and (folder is None or path.parent.name == folder)

    return check


def some(place: int) -> Only:
    """The argument at this place holds anything."""
    return lambda *args, **_: len(args[place]) > 0


def more_columns(_: Any, old: Any, new: Any) -> bool:
    """`tables.widen` adds a column."""
    return len(new.columns) > len(old.columns)


def of_state(place: int, state: str) -> Only:
    """The rule at this place is in this state."""
    return lambda *args, **_: args[place].state == state


def announced(state: str) -> Only:
    """`log.append` of a rule's change in such a state, to the third partition."""

    def check(_: Any, topic: str, partition: int, payload: bytes) -> bool:
        if topic != "events" or partition != 2:
            return False
        first = read_word(payload).entries[0]
        return getattr(first, "state", None) == state

    return check


def third_of_a_delete(_: Any, topic: str, partition: int, payload: bytes) -> bool:
    """`log.append` of a delete's third part."""
    if topic != "writes" or payload[0] != 1:
        return False
    first = msgspec.msgpack.decode(payload[1:])[0][0]
    return bool(first[0] == "d" and first[10] == 2)


def barrier(kind: type[Delete] | type[DatasetEnd]) -> Only:
    """`persist._apply_barrier` of this kind of entry."""
    return lambda *args, **_: isinstance(args[3], kind)


def appends(tag: str) -> Only:
    """`barrier.append` of entries with this tag."""
    return lambda *args, **_: msgspec.msgpack.decode(args[2][0].bytes)[0] == tag


def unfinished(publisher: Any, partition: int, batch: Any, *_: Any) -> bool:
    """`publisher._logged` of an envelope whose last write goes on in the next one."""
    waiting = publisher._lanes[partition].waiting
    if not waiting:
        return False
    last, following = (msgspec.msgpack.decode(each.entry) for each in (batch[-1], waiting[0]))
    return bool(last[1] == following[1])


def full_slice(_: Any, piece: Any) -> bool:
    """`judge._commit` of a slice that others of the same chunk follow."""
    return len(piece.matches) >= judge.TOGETHER


def everything_older(*args: Any) -> bool:
    """`removal.remove(connection, dataset, partition, keys, begin, end)` of what is older than a time."""
    return not args[3] and args[4] is None and args[5] is not None
