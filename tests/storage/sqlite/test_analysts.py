"""What bounds a query on SQLite: an authorizer, by names that nobody foretells, and a process to be ended."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rules.errors import QUERY_TOO_LARGE, QUERY_TOO_SLOW, Later, Problem
from rules.question import Bounds, question
from storage.sqlite import analysts as under_test
from tests.stage.patience import eventually_sync
from tests.storage.analysing import SECRET, Desk, desk

ENDLESS = "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) SELECT max(n) FROM r"


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with desk("sqlite", tmp_path_factory.mktemp("desk") / "test.db", Bounds(seconds=2.0)) as made:
        yield made


def asked(here: Desk, query: str, **more: Any) -> dict[str, Any]:
    """Return what the program says of a question put by hand: what is seen are the datasets in `more`."""
    told = {
        "path": here.address,
        "datasets": [],
        "query": query,
        "parameters": {},
        "seconds": 5.0,
        "rows": 10,
        "bytes": 10_000,
        **more,
    }
    program = [sys.executable, "-I", "-S", str(under_test._PROGRAM)]
    done = subprocess.run(program, input=json.dumps(told).encode(), capture_output=True, check=True)
    said: dict[str, Any] = json.loads(done.stdout)
    return said


def test_a_cte_with_the_name_of_a_view_reads_no_more_than_any_other(here: Desk) -> None:
    """SQLite tells an authorizer the name of the view that reads a table: a CTE's name, where it is one."""
    for name in ("quotes", "acme.quotes", "beta.vault", "d1", "v"):
        for table in ("d1", "d2", "token", "main.d1"):
            with pytest.raises(Problem, match="bad_query"):
                here.ask(f'WITH "{name}" AS (SELECT _key, * FROM {table}) SELECT * FROM "{name}"')


def test_a_catalogue_that_has_changed_since_is_said_to_be_stale(here: Desk) -> None:
    assert asked(here, "SELECT 1")["rows"] == [[1]]
    quotes = {"id": 1, "version": 1, "name": "quotes", "shown": "SELECT _id FROM main.d1"}
    assert asked(here, "SELECT count(*) FROM quotes", datasets=[quotes])["rows"] == [[3]]
    assert asked(here, "SELECT 1", datasets=[{**quotes, "version": 2}])["refused"] == "stale"
    assert asked(here, "SELECT 1", datasets=[{**quotes, "id": 7}])["refused"] == "stale"


@pytest.mark.parametrize(
    "call",
    [
        *("load_extension('x')", "readfile('/etc/passwd')", "writefile('/tmp/x', 'y')", "edit('x')"),
        *("sqlite_compileoption_get(1)", "fts5_version()", "zeroblob(1)", "randomblob(1)", "changes()"),
    ],
)
def test_only_functions_of_a_list_are_called(here: Desk, call: str) -> None:
    with pytest.raises(Problem, match="bad_query"):
        here.ask(f"SELECT {call} AS x")


def test_functions_of_texts_numbers_times_and_json_are_on_the_list(here: Desk) -> None:
    query = (
        "SELECT upper('a'), round(1.26, 1), date(at), json_extract(more, '$.x[0]'), more ->> '$.x[0]', "
        "strftime('%H', at), like('a%', 'ab'), current_date > '2000' FROM quotes WHERE more IS NOT NULL"
    )
    assert here.rows(query) == [["A", 1.3, "2023-11-14", 1, 1, "22", 1, 1]]
    assert here.rows("SELECT value FROM json_each('[1, 2]')") == [[1], [2]]


def test_a_function_that_can_not_be_interrupted_is_ended_with_its_process(here: Desk) -> None:
    haystack, needle = "printf('%.*c', 7000000, 'a')", "printf('%.*c', 3500000, 'a') || 'b'"
    with pytest.raises(Problem) as refused:
        here.ask(f"SELECT instr({haystack}, {needle}) AS x")
    assert refused.value.code is QUERY_TOO_SLOW


def test_a_sort_of_more_than_memory_holds_is_ended(here: Desk) -> None:
    endless = "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r LIMIT 100000000) "
    with pytest.raises(Problem) as refused:
        here.ask(endless + "SELECT json_group_array(printf('%0100d', n)) FROM r")
    assert refused.value.code in (QUERY_TOO_LARGE, QUERY_TOO_SLOW)
    with pytest.raises(Problem) as refused:
        here.ask(endless + "SELECT n FROM r ORDER BY printf('%0100d', -n) LIMIT 1")
    assert refused.value.code in (QUERY_TOO_LARGE, QUERY_TOO_SLOW)


def test_text_that_is_not_utf_8_is_shown_as_far_as_it_is(here: Desk) -> None:
    assert here.rows("SELECT CAST(x'41ff42' AS TEXT) AS x, char(0, 55296) AS y") == [
        ["A\ufffdB", "\0\ufffd\ufffd\ufffd"]
    ]


def test_the_process_knows_nothing_of_our_environment(here: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[dict[str, str]] = []
    start = subprocess.Popen

    def watched(*args: Any, **more: Any) -> "subprocess.Popen[bytes]":
        seen.append(more["env"])
        return start(*args, **more)

    monkeypatch.setenv("SLUICE_ADMIN_TOKEN", SECRET)
    monkeypatch.setattr(subprocess, "Popen", watched)
    assert here.rows("SELECT 1 AS x") == [[1]]
    assert SECRET not in str(seen)
    assert len(seen) == 1


def test_a_program_that_fails_is_later_and_its_words_are_in_the_log(
    here: Desk, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    program = tmp_path / "broken.py"
    program.write_text("raise ValueError('what went wrong')")
    monkeypatch.setattr(under_test, "_PROGRAM", program)
    with pytest.raises(Later) as later:
        here.ask("SELECT 1")
    assert "what went wrong" not in str(later.value)
    assert "what went wrong" in caplog.text


def test_a_stop_ends_what_is_asked(tmp_path: Path) -> None:
    with desk("sqlite", tmp_path / "test.db", Bounds(seconds=60.0)) as here:
        answer = here.analysts.ask(question("acme", ENDLESS, {}))
        eventually_sync(lambda: len(here.analysts._answering._used) == 1, 20.0)  # type: ignore[attr-defined]
        stopping = threading.Thread(target=here.analysts.close)
        stopping.start()
        assert isinstance(answer.exception(20.0), Later)
        stopping.join(20.0)
        assert not stopping.is_alive()


def test_writes_go_on_while_a_query_runs(here: Desk) -> None:
    answer = here.analysts.ask(question("acme", ENDLESS, {}))
    for _ in range(20):
        assert here.store.write(lambda c: c.exec_driver_sql("SELECT 1").scalar()).result(20.0) == 1
    assert isinstance(answer.exception(20.0), Problem)
