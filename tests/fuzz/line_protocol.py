"""Line protocol: patterns and strict parser against each other. Run: `python -m tests.fuzz line_protocol`."""

import re
from typing import Any, Final

from api.influx.point import Point
from api.influx.skeletons import Skeletons
from api.influx.strict import read_line
from rules.schema.dataset import ColumnType
from tests.conformance.test_line_protocol import by_line, recognised, shown

SEEDS: Final = (
    b"cpu,host=a v=1.5,n=1i 1\ncpu,host=b v=2.5,n=2i 2\ncpu,host=c v=.5e-3,n=-3i 3\n",
    b'm\\ a,t\\,x=\\=y s="a\\"b\\\\c",u=18446744073709551615u\nm\\ a,t\\,x=z s="",u=0u\n# why\n\n',
    b'm s="over\nlines",b=t -1\r\nm s="x",b=FALSE\nm b=true\nm b=false\nm b=T\n',
    b"a\\,b f=1 1\na\\,b f=2 2\na\\,b f=3 3\n",
    b"m f=1,f=2 \nm,t=1,t=2 f=1\nm f=1e999\nm f=nan\nm\nm f=\n,t=1 f=1\n",
)

_MEASUREMENT: Final = re.compile("([, ])")
_KEY: Final = re.compile("([,= ])")
_TEXT: Final = re.compile(r'(["\\])')


def target(data: bytes) -> None:
    """Read `data` both ways, and what was read once more. Raises: AssertionError where a law is broken."""
    text = data.decode("utf-8", "ignore")
    points, bad = by_line(text)
    known = Skeletons()
    for _ in range(3):  # the first time teaches, the others use what was learned
        found, refused = recognised(text, known)
        assert shown(found) == shown(points)
        assert refused == bad
    for point in points.values():
        line = written(point)
        assert read_line(line, 0, 1) == (point, len(line)), line


def written(point: Point) -> str:
    """Return the line that says a point."""
    shape = point.shape
    values = [*point.values]
    head = _MEASUREMENT.sub(r"\\\1", shape.measurement)
    head += "".join(f",{_key(tag)}={_key(values.pop(0))}" for tag in shape.tags)
    fields = zip(shape.fields, shape.types, values, strict=True)
    said = ",".join(f"{_key(name)}={_value(kind, value)}" for name, kind, value in fields)
    return f"{head} {said}" + ("" if point.time is None else f" {point.time}")


def _key(name: str) -> str:
    return _KEY.sub(r"\\\1", name)


def _value(kind: ColumnType, value: Any) -> str:
    match kind:
        case ColumnType.STRING:
            return '"' + _TEXT.sub(r"\\\1", value) + '"'
        case ColumnType.INTEGER:
            return f"{value}i"
        case ColumnType.UNSIGNED:
            return f"{value}u"
        case _:
            return repr(value)
