"""Where webhooks may go: names that change their mind, names within names, proxies, redirects, new pools."""

import socket
from collections.abc import Sequence
from time import time

import pytest
from aiohttp.abc import ResolveResult

from rules.errors import Problem
from streams.delivery.lookup import Lookup
from streams.delivery.targets import blocked, check_url
from streams.delivery.webhook import Attempt, Webhooks, mint_secret
from tests.streams.delivery.answering import Answering
from tests.streams.delivery.receiver import always, receiver

PUBLIC = "93.184.215.14"
INSIDE = ("127.0.0.1", "::1", "::ffff:127.0.0.1", "10.0.0.1", "169.254.169.254", "fd00::1", "0.0.0.0")


class Changing(Answering):
    """A name server that answers otherwise each time it is asked; the last answer stays."""

    def __init__(self, *answers: Sequence[str]) -> None:
        super().__init__()
        self.answers = list(answers)
        self.asked = 0

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        self.addresses = tuple(self.answers[min(self.asked, len(self.answers) - 1)])
        self.asked += 1
        return await super().resolve(host, port, family)


async def attempted(url: str, *answers: Sequence[str], times: int = 1) -> list[Attempt]:
    async with Webhooks(version="0", resolver=Changing(*answers), deadline=0.5) as out:
        return [await out.attempt(url, mint_secret(), "n1", b"{}", time()) for _ in range(times)]


@pytest.mark.parametrize("inside", INSIDE)
async def test_a_name_that_is_public_when_it_is_looked_up_and_inside_when_it_is_connected_to_reaches_nobody(
    inside: str,
) -> None:
    async with receiver(always(200)) as server:
        port = server.url.split(":")[2].split("/")[0]
        url = f"http://rebind.example:{port}/hook"
        check_url(url, allow_private=False)  # as the door does, when the subscription is made
        (attempt,) = await attempted(url, [inside])
        assert attempt.refused and attempt.status is None
        assert server.received == []
        assert attempt.error is not None and attempt.error.startswith("Nothing was sent")


async def test_a_name_that_turns_inside_between_two_attempts_reaches_nobody_then() -> None:
    async with receiver(always(200)) as server:
        port = server.url.split(":")[2].split("/")[0]
        url = f"http://rebind.example:{port}/hook"
        first, second = await attempted(url, [PUBLIC], ["127.0.0.1"], times=2)
        assert not first.refused and first.error is not None
        # the pool remembers a look-up for some seconds; whichever it takes, nobody inside is reached
        assert second.error is not None
        assert server.received == []


async def test_of_several_addresses_those_inside_are_not_tried() -> None:
    async with receiver(always(200)) as server:
        port = server.url.split(":")[2].split("/")[0]
        (attempt,) = await attempted(f"http://mixed.example:{port}/", [PUBLIC, "127.0.0.1", "::1"])
        assert attempt.error is not None
        assert server.received == []


async def test_an_alias_of_a_name_inside_is_judged_by_the_address_it_leads_to(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def alias(host: str, port: int, *_: object) -> list[object]:
        assert host == "alias.example"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "internal.corp", ("127.0.0.1", port))]

    async with receiver(always(200)) as server:
        port = server.url.split(":")[2].split("/")[0]
        monkeypatch.setattr(socket, "getaddrinfo", alias)
        async with Webhooks(version="0", resolver=Lookup(1)) as out:
            attempt = await out.attempt(f"http://alias.example:{port}/", mint_secret(), "n1", b"{}", time())
        assert attempt.refused
        assert server.received == []


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_not_followed_wherever_it_leads(status: int) -> None:
    async with receiver(always(200)) as inside:
        headers = {"Location": inside.url}
        async with (
            receiver(always(status, headers)) as outside,
            Webhooks(version="0", allow_private=True) as out,
        ):
            attempt = await out.attempt(outside.url, mint_secret(), "n1", b"{}", time())
        assert attempt.status == status and attempt.error is not None
        assert inside.received == []


async def test_no_proxy_of_the_environment_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    async with receiver(always(200)) as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        for url in ("http://93.184.215.14:9/", "https://93.184.215.14:9/"):
            async with Webhooks(version="0", deadline=0.3) as out:
                await out.attempt(url, mint_secret(), "n1", b"{}", time())
        assert proxy.received == []


@pytest.mark.parametrize(
    "address",
    [
        "::ffff:7f00:1",  # IPv4-mapped, in hex
        "::ffff:169.254.169.254",
        "64:ff9b::a9fe:a9fe",  # NAT64 of the address of clouds' metadata
        "64:ff9b:1::7f00:1",  # local NAT64
        "2002:7f00:1::",  # 6to4 of loopback
        "2002:a00:1::1",
        "2001:0:4136:e378:8000:63bf:80ff:fffe",  # Teredo of 127.0.0.1
        "fe80::1%1",
        "fe80::1%eth0",
        "::127.0.0.1",
        "::ffff:0:127.0.0.1",
        "0:0:0:0:0:ffff:0:1",
    ],
)
def test_an_address_inside_in_the_clothes_of_another_is_blocked(address: str) -> None:
    assert blocked(address)


@pytest.mark.parametrize(
    "url",
    [
        "http://0/",
        "http://0x7f.1/",
        "http://0177.1/",
        "http://2130706433./",
        "http://127.1./",
        "http://127.0.0.1..:80/",
        "http://localhost./",
        "http://LOCALHOST.:80/",
        "http://a.b.localhost./",
        "http://user@127.0.0.1/",
        "http://127.0.0.1@example.com/",
        "http://example.com@127.0.0.1/",
        "http://example.com:80@127.0.0.1:81/",
        "http://example.com#@127.0.0.1/",
        "http://[fe80::1%25lo]/",
        "http://[::ffff:7f00:1]:80/",
        "http://127.0.0.1\\@example.com/",
        "http://example.com\\.127.0.0.1/",
        "unix:///var/run/docker.sock",
        "http+unix://%2Fvar%2Frun%2Fdocker.sock/",
        "http:///var/run/docker.sock",
        "gopher://127.0.0.1:25/",
        "file:///etc/passwd",
        "//127.0.0.1/",
        "http:127.0.0.1",
        "http:\\\\127.0.0.1",
    ],
)
def test_a_text_that_leads_inside_or_nowhere_is_refused_at_the_door(url: str) -> None:
    if url == "http://example.com#@127.0.0.1/":
        check_url(url, allow_private=False)  # it leads to example.com: what follows # is never sent
        return
    with pytest.raises(Problem):
        check_url(url, allow_private=False)
