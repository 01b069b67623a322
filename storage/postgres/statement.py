"""A query as PostgreSQL is given it: `:name` as a numbered place, and no name of its catalogue in it.

The words of a statement are told apart as PostgreSQL's documentation says, section "Lexical Structure". Who
may read what is decided by rights; but the catalogue is open to every role and names whatever others have, so
words that lead there are refused here.
"""

import re
from collections.abc import Mapping
from typing import Final, NamedTuple

from rules.errors import BAD_QUERY, Problem
from rules.names import fold
from rules.question import Scalar, lacking, unused
from storage.views import LONGEST_NAME, cut_name, quoted

_WORDS: Final = re.compile(
    r"""
      (?P<comment> --[^\n]* )
    | (?P<open> /\* )
    | (?P<special> [uU]&["'] | [eE]' | \$\d+ )
    | (?P<text> '(?>[^']+|'')*+(?:'|\Z) )
    | (?P<quoted> "(?>[^"]+|"")*+(?:"|\Z) )
    | (?P<dollar> \$(?>[A-Za-z_\x80-\U0010ffff][\w\x80-\U0010ffff]*+)?\$ )
    | (?P<name> [A-Za-z_\x80-\U0010ffff][\w$\x80-\U0010ffff]*+ )
    | (?P<number> \d[\w.]*+ )
    | (?P<bracket> [()] )
    | (?P<pair> :: | := )
    | :(?P<parameter> [A-Za-z_]\w*+ )
    """,
    re.ASCII | re.DOTALL | re.VERBOSE,
)
_COMMENT: Final = re.compile(r"/\*|\*/")

_KEPT_BACK: Final = re.compile(
    r"pg_.*|information_schema|reg(?:class|proc|procedure|oper|operator|type|role|namespace|config|"
    r"dictionary|collation)|to_reg\w+|has_\w+_privilege|row_security_active|\w+_to_xml\w*|ts_stat|ts_rewrite|"
    r"lo_(?:import|export|creat|create|open|close|lseek|lseek64|tell|tell64|truncate|truncate64|unlink|get|"
    r"put|from_bytea)|loread|lowrite|dblink\w*|set_config|current_setting|(?:col|obj|shobj)_description|"
    r"inet_(?:client|server)_(?:addr|port)|binary_upgrade_\w+",
    re.DOTALL,
)


class Statement(NamedTuple):
    """A query with numbered places, and the values that belong there in their order."""

    text: str
    values: list[Scalar]


def statement(query: str, parameters: Mapping[str, Scalar]) -> Statement:
    """Return a query as PostgreSQL is given it.

    Raises: Problem(bad_query, bad_parameter).
    """
    query = query.rstrip().removesuffix(";")
    numbers: dict[str, int] = {}
    pieces: list[str] = []
    at = depth = 0
    while (found := _WORDS.search(query, at)) is not None:
        end = _end(query, found)
        piece = query[found.start() : end]
        pieces += [query[at : found.start()], _put(found, piece, numbers)]
        at = end
        if found.lastgroup == "bracket":
            depth += 1 if piece == "(" else -1
        if depth < 0:  # it shall not end what it is put in
            raise Problem(BAD_QUERY, "The query closes a bracket that it did not open.")
    pieces.append(query[at:])
    missing = [name for name in numbers if name not in parameters]
    if missing:
        raise lacking(missing)
    if len(numbers) < len(parameters):
        raise unused([name for name in parameters if name not in numbers])
    return Statement("".join(pieces), [parameters[name] for name in numbers])


def _put(found: "re.Match[str]", piece: str, numbers: dict[str, int]) -> str:
    """Return what stands in the statement for a piece of the query. Raises: Problem(bad_query)."""
    match found.lastgroup:
        case "parameter":
            return f"${numbers.setdefault(found['parameter'], len(numbers) + 1)}"
        case "name":
            _ensure_open(piece)
            return piece if _fits(piece) else quoted(cut_name(fold(piece)))
        case "quoted":
            name = piece[1:-1].replace('""', '"')
            _ensure_open(name)
            return piece if _fits(name) or not piece.endswith('"') else quoted(cut_name(name))
        case "special":
            raise Problem(
                BAD_QUERY, f"The query holds {piece}; write texts and names as they are, parameters as :name."
            )
    return piece


def _fits(name: str) -> bool:
    """Return whether PostgreSQL keeps a name whole; a longer one our views have in another form."""
    return len(name.encode()) <= LONGEST_NAME


def _ensure_open(name: str) -> None:
    if _KEPT_BACK.fullmatch(name.lower()):
        raise Problem(
            BAD_QUERY, f"The query names {name[:64]!r}, which is of the database itself, not of a dataset."
        )


def _end(query: str, found: "re.Match[str]") -> int:
    """Return where a piece ends: comments may hold comments, and a dollar-quoted text ends as it began."""
    if found.lastgroup == "dollar":
        end = query.find(found[0], found.end())
        return len(query) if end < 0 else end + len(found[0])
    if found.lastgroup != "open":
        return found.end()
    depth, at = 1, found.end()
    while depth and (mark := _COMMENT.search(query, at)) is not None:
        depth += 1 if mark[0] == "/*" else -1
        at = mark.end()
    return len(query) if depth else at
