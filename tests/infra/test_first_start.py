"""The administrator's token: made once, shown once, readable by nobody else."""

import io
import os
from pathlib import Path

import pytest

from infra.first_start import FILE_NAME, admin_token
from infra.settings import WrongSetting


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_the_first_start_makes_a_token_and_says_it_once(tmp_path: Path) -> None:
    data, out = tmp_path / "new" / "data", io.StringIO()
    token, made = admin_token(data, None, out)
    assert made
    assert token.startswith("sk_")
    assert len(token) == 3 + 43
    assert out.getvalue().count(token) == 1
    assert (data / FILE_NAME).read_text() == token + "\n"
    assert admin_token(data, None, out) == (token, False)
    assert out.getvalue().count(token) == 1


def test_only_its_owner_can_read_it_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        admin_token(tmp_path, None, io.StringIO())
    finally:
        os.umask(before)
    assert mode(tmp_path / FILE_NAME) == 0o600


def test_nothing_else_is_left_in_the_directory(tmp_path: Path) -> None:
    admin_token(tmp_path, None, io.StringIO())
    assert [path.name for path in tmp_path.iterdir()] == [FILE_NAME]


def test_the_token_is_not_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    token, _ = admin_token(tmp_path, None, io.StringIO())
    assert FILE_NAME in caplog.text
    assert token not in caplog.text


def test_a_given_token_is_used_and_the_kept_one_left_alone(tmp_path: Path) -> None:
    out = io.StringIO()
    assert admin_token(tmp_path, "sk_given", out) == ("sk_given", False)
    assert list(tmp_path.iterdir()) == []
    kept, _ = admin_token(tmp_path, None, io.StringIO())
    assert admin_token(tmp_path, "sk_given", out) == ("sk_given", False)
    assert admin_token(tmp_path, None, out) == (kept, False)
    assert out.getvalue() == ""


def test_a_file_that_others_can_read_is_closed_to_them_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    token, _ = admin_token(tmp_path, None, io.StringIO())
    (tmp_path / FILE_NAME).chmod(0o644)
    assert admin_token(tmp_path, None, io.StringIO()) == (token, False)
    assert mode(tmp_path / FILE_NAME) == 0o600
    assert "could be read by others (mode 644)" in caplog.text


@pytest.mark.parametrize("text", ["", "\n", "short", "two tokens here", "sk_ünicode-token"])
def test_a_file_without_a_token_in_it_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / FILE_NAME).write_text(text)
    with pytest.raises(WrongSetting, match=str(tmp_path)):
        admin_token(tmp_path, None, io.StringIO())


def test_a_data_directory_that_can_not_be_one_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(WrongSetting, match=r"SLUICE_DATA=.*can't be used"):
        admin_token(tmp_path / "file" / "data", None, io.StringIO())


def test_a_token_that_can_not_be_kept_is_not_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    out = io.StringIO()
    with pytest.raises(WrongSetting, match="No space left"):
        admin_token(tmp_path, None, out)
    assert out.getvalue() == ""
    assert list(tmp_path.iterdir()) == []
