"""Which addresses webhooks may reach: decided on the text of a URL, and again when the socket is made.

The first answer is for the person who types the address; the second is the one that counts, since a name
may lead elsewhere between its look-up and the connection.
"""

import errno
import re
import socket
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final
from unicodedata import category, normalize
from urllib.parse import urlsplit

from aiohttp import AddrInfoType, TCPConnector
from aiohttp.abc import AbstractResolver

from rules.errors import TARGET_REFUSED, Problem

MAX_URL_CHARS: Final = 2_048

# The union of what Svix and Smokescreen refuse and of IANA's special-purpose registries. Written out because
# ipaddress.is_global lets several of them pass (64:ff9b::7f00:1, ::127.0.0.1, 224.0.0.1 among them).
_V4: Final = tuple(
    (IPv4Network(network), kind)
    for network, kind in (
        ("0.0.0.0/8", "this host"),
        ("10.0.0.0/8", "private"),
        ("100.64.0.0/10", "carrier-grade NAT"),
        ("127.0.0.0/8", "loopback"),
        ("169.254.0.0/16", "link-local"),
        ("172.16.0.0/12", "private"),
        ("192.0.0.0/24", "IETF assignments"),
        ("192.0.2.0/24", "documentation"),
        ("192.88.99.0/24", "6to4 relay"),
        ("192.168.0.0/16", "private"),
        ("198.18.0.0/15", "benchmarking"),
        ("198.51.100.0/24", "documentation"),
        ("203.0.113.0/24", "documentation"),
        ("224.0.0.0/4", "multicast"),
        ("255.255.255.255/32", "broadcast"),
        ("240.0.0.0/4", "reserved"),
    )
)
_V6: Final = tuple(
    (IPv6Network(network), kind)
    for network, kind in (
        ("::/128", "this host"),
        ("::1/128", "loopback"),
        ("::/96", "IPv4-compatible"),
        ("::ffff:0:0:0/96", "IPv4-translated"),
        ("64:ff9b::/96", "NAT64"),
        ("64:ff9b:1::/48", "local NAT64"),
        ("100::/64", "discard-only"),
        ("2001::/32", "Teredo"),
        ("2001::/23", "IETF assignments"),
        ("2001:db8::/32", "documentation"),
        ("2002::/16", "6to4"),
        ("3fff::/20", "documentation"),
        ("5f00::/16", "segment routing"),
        ("fc00::/7", "private"),
        ("fe80::/10", "link-local"),
        ("fec0::/10", "site-local"),
        ("ff00::/8", "multicast"),
    )
)
# How far from its right end an IPv6 address of these networks carries the IPv4 address it stands for.
_CARRIERS: Final = tuple(
    (IPv6Network(network), shift)
    for network, shift in (("::/96", 0), ("::ffff:0:0:0/96", 0), ("64:ff9b::/96", 0), ("2002::/16", 80))
)

_AUTHORITY = re.compile(r"(?:\[(?P<six>[0-9A-Fa-f:.]+)\]|(?P<host>[^\[\]:%\\@]*))(?::[0-9]*)?")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")


class BlockedError(OSError):
    """The socket was not made: its address may not be reached, for `reason`.

    The text is the same for every address: that of several attempts for one host is then kept, not merged
    with others into an error of another type.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(errno.EACCES, "the host leads to an address that may not be reached")
        self.reason = reason


def blocked(address: str) -> str | None:
    """Return why the address of a literal (`127.0.0.1`, `::1`, `fe80::1%eth0`) may not be reached, or None.

    What can't be read as an address may not be reached either. An IPv4-mapped address is judged as the
    IPv4 address in it; other ways to write one within IPv6 are refused whatever they carry.
    """
    try:
        ip = ip_address(address.partition("%")[0])
    except ValueError:
        return "not an IP address"
    if isinstance(ip, IPv4Address):
        return next((f"{kind}, {network}" for network, kind in _V4 if ip in network), None)
    if ip.ipv4_mapped is not None:
        return blocked(str(ip.ipv4_mapped))
    found = next((f"{kind}, {network}" for network, kind in _V6 if ip in network), None)
    if found is None or (carried := _carried(ip)) is None:
        return found
    within = blocked(str(carried))
    return found if within is None else f"{found}; within it {within}"


def _carried(ip: IPv6Address) -> IPv4Address | None:
    if int(ip) <= 1:
        return None
    for network, shift in _CARRIERS:
        if ip in network:
            return IPv4Address(int(ip) >> shift & 0xFFFFFFFF)
    return None


def check_url(url: str, allow_private: bool) -> None:
    """Refuse a webhook address that can be seen to be wrong without asking anybody.

    Raises: Problem(target_refused): another scheme than http and https, credentials, no host, more than
    2,048 characters, spaces or control characters, an IP address in another form than the usual one, and,
    unless `allow_private`, an address that is `blocked`, `localhost` or a name that ends in `.localhost`.
    """
    if len(url) > MAX_URL_CHARS:
        raise _refused(f"The webhook address has {len(url)} characters; {MAX_URL_CHARS} are allowed.")
    odd = next((at for at, char in enumerate(url) if category(char)[0] in "CZ"), None)
    if odd is not None:
        raise _refused(
            f"The webhook address holds a space or control character at position {odd}; encode it."
        )
    host = _host(url)
    literal = _literal(host)
    if literal is None:
        name = host.rstrip(".")
        if not allow_private and (name == "localhost" or name.endswith(".localhost")):
            raise _unreachable(host, "loopback")
        return
    if not allow_private and (reason := blocked(literal)) is not None:
        raise _unreachable(host, reason)
    if literal != host:
        raise _refused(f"The webhook address names the host {host[:80]!r}; write it as {literal}.")


def _host(url: str) -> str:
    """Return the host in lower case, in the characters that clients map it to before they look it up."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise _refused("The webhook address is not a URL: its host or port can't be read.") from None
    if parts.scheme not in ("http", "https"):
        raise _refused("The webhook address must start with http:// or https://.")
    if "@" in parts.netloc:
        raise _refused("The webhook address holds a user name or password; put a secret in its path instead.")
    match = _AUTHORITY.fullmatch(parts.netloc)
    if match is None:
        raise _refused("The webhook address names a host that can't be read.")
    host = normalize("NFKC", match["six"] or match["host"]).replace("\u3002", ".").lower()
    if not host.strip("."):
        raise _refused("The webhook address names no host.")
    return host


def _literal(host: str) -> str | None:
    """Return the address that a host of numbers stands for, in its usual form, or None if it is a name."""
    bare = host.rstrip(".")
    try:
        if ":" in host:
            IPv6Address(host)
            return host
        if _NUMBER.fullmatch(bare.rpartition(".")[2]):
            return socket.inet_ntoa(socket.inet_aton(bare))
    except (OSError, ValueError):
        raise _refused(f"The webhook address names the host {host[:80]!r}, which is no IP address.") from None
    return None


def _unreachable(host: str, reason: str) -> Problem:
    return _refused(
        f"The webhook address names the host {host[:80]!r}, which may not be reached ({reason}); "
        "SLUICE_ALLOW_PRIVATE_TARGETS allows it."
    )


def _refused(detail: str) -> Problem:
    return Problem(TARGET_REFUSED, detail)


def guarded_connector(
    allow_private: bool,
    *,
    connections: int = 64,
    per_host: int = 16,
    resolver: AbstractResolver | None = None,
) -> TCPConnector:
    """Return a connector that makes no socket to a blocked address, whatever the look-up answered.

    It holds at most `connections` connections, `per_host` of them to one host and port. A `resolver` stays
    the caller's to close. Must be called within a running loop. A request through it that is refused raises
    ClientConnectorError with a BlockedError in it.
    """

    def make_socket(target: AddrInfoType) -> socket.socket:
        family, kind, proto, _, place = target
        reason = None if allow_private else blocked(str(place[0]))
        if reason is not None:
            raise BlockedError(reason)
        return socket.socket(family, kind, proto)

    return TCPConnector(
        resolver=resolver,
        socket_factory=make_socket,
        limit=connections,
        limit_per_host=per_host,
        # Receivers close idle connections after a few seconds; one they close as we send is a failed attempt.
        keepalive_timeout=2.0,
    )
