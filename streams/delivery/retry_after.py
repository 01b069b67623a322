"""What a receiver asks for with Retry-After (RFC 9110, section 10.2.3)."""

from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Final

MAX_SECONDS: Final = 86_400.0


def seconds_asked(header: str | None, now: float) -> float | None:
    """Return the seconds from `now` (Unix seconds), 0 to a day, that the header asks for.

    It is a number of seconds or an HTTP date. None where there is none, or none that can be read.
    """
    if header is None:
        return None
    text = header.strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:9]), MAX_SECONDS)
    try:
        moment = parsedate_to_datetime(text)
        seconds = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() - now
    except (ValueError, OverflowError):
        return None
    return min(max(seconds, 0.0), MAX_SECONDS)
