"""What is written for outside readers is what is sent: field by field, in order."""

import re
from pathlib import Path

import msgspec

from rules.envelope import Happened, RuleChange
from streams.wire import encode, join

TEXT = (Path(__file__).parents[3] / "streams" / "kafka" / "topics.md").read_text()


def test_the_fields_of_an_event_are_the_documented_ones_in_order() -> None:
    told = re.findall(r"^\| (\d) \| `(\w+)` \|", TEXT, re.MULTILINE)
    assert [int(number) for number, _ in told] == list(range(1, len(told) + 1))
    assert tuple(name for _, name in told) == Happened.__struct_fields__


def test_the_fields_of_a_rule_change_are_the_documented_ones_in_order() -> None:
    told = TEXT.split('`"r"`')[1].split("\n\n")[0].split("partition:")[1]
    assert tuple(re.findall(r"`(\w+)`", told)) == RuleChange.__struct_fields__


def test_a_message_is_a_version_and_an_array_of_entries_that_say_what_they_are() -> None:
    happened = Happened(1, 2, "w", "d", 3, 4, True, [0], [{"a": 1}])
    message = join([encode(happened)])
    assert message[0] == 1
    [[entry]] = msgspec.msgpack.decode(message[1:])
    assert entry == ["h", 1, 2, "w", "d", 3, 4, True, [0], [{"a": 1}]]
