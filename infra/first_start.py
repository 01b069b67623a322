"""The administrator's token: made at the first start, kept in a file only its owner can read."""

import os
from contextlib import suppress
from logging import getLogger
from pathlib import Path
from re import fullmatch
from secrets import token_urlsafe
from stat import S_IMODE
from tempfile import mkstemp
from typing import Final, TextIO

from infra.settings import WrongSetting
from streams.embedded.disk import make_directory, sync_directory

FILE_NAME: Final = "admin-token"

_log = getLogger(__name__)


def admin_token(data: Path, given: str | None, out: TextIO) -> tuple[str, bool]:
    """Return the administrator's token and whether it was made just now.

    `given` is used in place of the one kept in `data`, and is not kept there. One that is made is
    printed to `out`, this once; the file is complete or not there at all, whenever the process ends.

    Raises: WrongSetting, where the data directory can't be used or the file in it holds no token.
    """
    if given is not None:
        return given, False
    path = data / FILE_NAME
    try:
        kept = _read(path)
        if kept is not None:
            return kept, False
        token = "sk_" + token_urlsafe(32)
        _keep(path, token)
    except (OSError, UnicodeDecodeError) as trouble:
        raise _unusable(data, trouble) from trouble
    print(f"The administrator's token, shown this once and kept in {path}: {token}", file=out, flush=True)
    _log.info("Made the administrator's token and kept it in %s.", path, extra={"action": "first_start"})
    return token, True


def kept_token(data: Path) -> str | None:
    """Return the token kept in `data`, None where there is none. Raises: WrongSetting."""
    try:
        return _read(data / FILE_NAME)
    except (OSError, UnicodeDecodeError) as trouble:
        raise _unusable(data, trouble) from trouble


def forget_token(data: Path) -> None:
    """Remove the token kept in `data`: another one is in force."""
    (data / FILE_NAME).unlink(missing_ok=True)


def _read(path: Path) -> str | None:
    try:
        text = path.read_text("ascii").strip()
    except FileNotFoundError:
        return None
    if not fullmatch(r"[!-~]{8,256}", text):
        raise WrongSetting(f"{path} holds no token; delete it, and the next start makes a new one.")
    mode = S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        path.chmod(0o600)
        _log.warning(
            "%s could be read by others (mode %03o); only its owner can now. If somebody may have seen it, "
            "delete it and start again.",
            path,
            mode,
            extra={"action": "insecure"},
        )
    return text


def _unusable(data: Path, trouble: Exception) -> WrongSetting:
    return WrongSetting(
        f"SLUICE_DATA={data} can't be used: {trouble}. Choose a directory this user may write to."
    )


def _keep(path: Path, token: str) -> None:
    make_directory(path.parent)
    # mkstemp makes the file 0600 from its first moment, whatever the umask is.
    handle, made = mkstemp(prefix=f".{FILE_NAME}.", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(token + "\n")
            file.flush()
            os.fsync(file.fileno())
        Path(made).replace(path)
    except BaseException:
        with suppress(OSError):
            Path(made).unlink()
        raise
    sync_directory(path.parent)
