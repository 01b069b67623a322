"""Secrets, signatures and bodies of webhooks."""

import hmac
import json
from base64 import b64decode, b64encode
from datetime import UTC, datetime
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw
from msgspec.json import encode
from standardwebhooks import Webhook

from rules.schema.moments import parse_moment
from streams.delivery.webhook import mint_secret, sign, webhook_body

BODY = b'{"type":"alert.firing","data":{"id":"a1"}}'
SECRET = mint_secret()
SHORT = 0.3


def test_a_minted_secret_is_32_random_bytes() -> None:
    one, two = mint_secret(), mint_secret()
    assert one != two
    assert one.startswith("whsec_")
    assert len(b64decode(one.removeprefix("whsec_"), validate=True)) == 32


@given(st.binary(min_size=1, max_size=64), st.from_regex(r"[a-z0-9]{1,40}", fullmatch=True), st.text())
def test_a_signature_is_what_the_standards_own_library_makes(key: bytes, message_id: str, text: str) -> None:
    secret = "whsec_" + b64encode(key).decode()
    at = datetime(2027, 1, 15, 8, 0, tzinfo=UTC)
    text = text.encode(errors="replace").decode()
    ours = sign(secret, message_id, int(at.timestamp()), text.encode())
    assert ours == Webhook(secret).sign(message_id, at, text)
    signed = f"{message_id}.{int(at.timestamp())}.{text}".encode()
    assert ours == "v1," + b64encode(hmac.new(key, signed, sha256).digest()).decode()


def test_a_secret_without_padding_signs_as_with_it() -> None:
    secret = "whsec_" + b64encode(b"x" * 25).decode()
    assert sign(secret.rstrip("="), "id", 1, BODY) == sign(secret, "id", 1, BODY)


@pytest.mark.parametrize("secret", ["", "whsec_", "c2VjcmV0", "whsec_!!!", "whsec_a", "whsec_schlüssel"])
def test_what_is_no_secret_signs_nothing_and_is_not_repeated(secret: str) -> None:
    with pytest.raises(ValueError, match="base64; this one is not") as caught:
        sign(secret, "id", 1, BODY)
    assert not secret.removeprefix("whsec_") or secret not in str(caught.value)


def test_a_body_holds_type_timestamp_and_the_alert() -> None:
    alert = {"id": "a1", "key": {"station": "Zürich"}, "event": {"temp": 31.5, "at": None}}
    at = parse_moment("2027-01-15T08:00:00.123456789Z")
    body = json.loads(webhook_body("resolved", at, alert))
    assert body == {"type": "alert.resolved", "timestamp": "2027-01-15T08:00:00.123456789Z", "data": alert}
    assert list(body) == ["type", "timestamp", "data"]
    assert webhook_body("resolved", at, Raw(encode(alert))) == webhook_body("resolved", at, alert)
