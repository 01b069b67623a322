"""Which addresses webhooks may reach: as text, and when the socket is made."""

import socket
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.errors import TARGET_REFUSED, Problem
from streams.delivery.targets import blocked, check_url
from tests.streams.delivery.answering import FORBIDDEN_HOSTS

FORBIDDEN_ADDRESSES = [
    *("0.0.0.0", "0.1.2.3", "10.0.0.1", "100.64.0.1", "127.255.255.254", "169.254.169.254", "172.31.0.1"),
    *("192.0.0.10", "192.0.2.1", "192.88.99.1", "192.168.1.1", "198.19.255.255", "198.51.100.7"),
    *("203.0.113.9", "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255"),
    *("::", "::1", "::127.0.0.1", "::8.8.8.8", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:0:127.0.0.1"),
    *("64:ff9b::7f00:1", "64:ff9b::8.8.8.8", "64:ff9b:1::1", "100::1", "2001::1", "2001:1ff::1"),
    *("2001:db8::1", "2002:7f00:1::", "2002:808:808::", "3fff::1", "5f00::1", "fc00::1", "fdff::1"),
    *("fe80::1", "fe80::1%eth0", "febf::1", "fec0::1", "feff::1", "ff02::1", "ff0e::1"),
]
OPEN_ADDRESSES = [
    *("1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255"),
    *("128.0.0.0", "169.253.255.255", "172.15.255.255", "172.32.0.0", "192.0.1.0", "192.88.98.255"),
    *("192.167.255.255", "192.169.0.0", "198.17.255.255", "198.20.0.0", "223.255.255.255"),
    *("2606:4700::1111", "2001:200::1", "2001:4860:4860::8888", "2003::1", "2a00::1", "::ffff:8.8.8.8"),
]

v4 = st.integers(0, 2**32 - 1).map(IPv4Address)
v6 = st.integers(0, 2**128 - 1).map(IPv6Address)


@pytest.mark.parametrize("address", FORBIDDEN_ADDRESSES)
def test_an_address_on_the_deny_list_is_blocked_with_a_reason(address: str) -> None:
    assert blocked(address)


@pytest.mark.parametrize("address", OPEN_ADDRESSES)
def test_an_address_beside_the_deny_list_is_open(address: str) -> None:
    assert blocked(address) is None


@pytest.mark.parametrize("text", ["", "example.com", "127.1", "1.2.3.4.5", "::g", "0x7f000001"])
def test_what_is_not_an_address_is_blocked(text: str) -> None:
    assert blocked(text) == "not an IP address"


@given(v4)
def test_an_address_that_python_knows_not_to_be_global_is_blocked(address: IPv4Address) -> None:
    assert address.is_global or blocked(str(address))


@given(v6)
def test_an_ipv6_address_that_python_knows_not_to_be_global_is_blocked(address: IPv6Address) -> None:
    assert address.is_global or address.ipv4_mapped or blocked(str(address))


@given(v4)
def test_a_mapped_address_is_judged_as_the_address_in_it(address: IPv4Address) -> None:
    assert blocked(f"::ffff:{address}") == blocked(str(address))


@given(v4, st.sampled_from([("64:ff9b::/96", 0), ("2002::/16", 80), ("::/96", 0), ("::ffff:0:0:0/96", 0)]))
def test_an_address_that_carries_another_is_blocked_and_the_reason_names_both(
    address: IPv4Address, carrier: tuple[str, int]
) -> None:
    network, shift = carrier
    outer = IPv6Address(int(IPv6Network(network).network_address) | int(address) << shift)
    reason = blocked(str(outer))
    assert reason
    within = blocked(str(address))
    assert within is None or within in reason or int(outer) <= 1


@pytest.mark.parametrize("host", [*FORBIDDEN_HOSTS, "127.0.0.1.", "LOCALHOST", "localhost.", "a.localhost"])
def test_a_url_that_can_be_seen_to_lead_inside_is_refused(host: str) -> None:
    with pytest.raises(Problem) as caught:
        check_url(f"http://{host}:8080/hook", allow_private=False)
    assert caught.value.code is TARGET_REFUSED
    assert "SLUICE_ALLOW_PRIVATE_TARGETS" in caught.value.detail


@pytest.mark.parametrize(
    "host",
    [
        "１２７.0.0.1",
        "①②⑦.0.0.1",
        "127。0。0。1",
        "ｌocalhost",
        "0X7F.1",
        "017700000001",
        "0x7f.0.0.1",
        "127.0.0.1..",
        "0",
        "[::FFFF:7F00:1]",
        "[0:0:0:0:0:0:0:1]",
        "[fe80::1]",
    ],
)
def test_a_disguise_does_not_help(host: str) -> None:
    with pytest.raises(Problem, match="may not be reached"):
        check_url(f"https://{host}/hook", allow_private=False)


@pytest.mark.parametrize(
    ("url", "word"),
    [
        ("ftp://example.com/", "http://"),
        ("file:///etc/passwd", "http://"),
        ("example.com/hook", "http://"),
        ("", "http://"),
        ("http:///hook", "no host"),
        ("http://./hook", "no host"),
        ("http://:80/hook", "no host"),
        ("http://user@example.com/", "user name"),
        ("http://user:secret@example.com/", "user name"),
        ("http://@example.com/", "user name"),
        ("http://a\\@example.com/", "user name"),
        ("http://exa\\mple.com/", "can't be read"),
        ("http://example.com:http/", "can't be read"),
        ("http://example.com:99999/", "can't be read"),
        ("http://[::1", "can't be read"),
        ("http://[::1]x/", "can't be read"),
        ("http://[v1.abc]/", "can't be read"),
        ("http://[fe80::1%25eth0]/", "can't be read"),
        ("http://%31%32%37.0.0.1/", "can't be read"),
        ("http://[1:2]/", "can't be read"),
        ("http://256.1.1.1/", "no IP address"),
        ("http://a.b.7/", "no IP address"),
        ("http://example.com/a b", "position 20"),
        (" http://example.com/", "position 0"),
        ("http://example.com/\r\nX: y", "position 19"),
        ("http://example.com/\x00", "position 19"),
        ("http://exam\u200bple.com/", "position 11"),
        ("http://example.com/" + "a" * 2_030, "2048"),
    ],
)
def test_a_url_that_is_none_is_refused_with_what_is_wrong_even_where_private_targets_are_allowed(
    url: str, word: str
) -> None:
    for allow_private in (True, False):
        with pytest.raises(Problem) as caught:
            check_url(url, allow_private)
        assert caught.value.code is TARGET_REFUSED
        assert word in caught.value.detail
        assert "secret@" not in caught.value.detail


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com/hook?x=1#y",
        "http://example.com:1/",
        "HTTPS://EXAMPLE.COM:65535",
        "https://exämple.com/",
        "https://localhost.example.com/",
        "https://8.8.8.8/",
        "https://[2606:4700::1111]:8443/hook",
        "https://a_b.example.com./",
        "https://example.com/" + "a" * 2_028,
    ],
)
def test_a_public_url_may_be_used_at_any_port(url: str) -> None:
    check_url(url, allow_private=False)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "10.1.2.3", "169.254.169.254"])
def test_private_targets_may_be_used_where_settings_allow_them(host: str) -> None:
    check_url(f"http://{host}:9000/hook", allow_private=True)


def spellings(address: IPv4Address) -> list[str]:
    a, b, c, d = address.packed
    return [
        str(int(address)),
        hex(int(address)),
        f"0{int(address):o}",
        f"{a}.{b << 16 | c << 8 | d}",
        f"{a}.{b}.{c << 8 | d}",
        f"0{a:o}.{b}.{c}.{d}",
        f"0x{a:x}.0x{b:X}.{c}.0{d:o}",
        f"{address}.",
    ]


@given(v4)
def test_no_other_spelling_of_an_ipv4_address_is_taken(address: IPv4Address) -> None:
    for spelling in spellings(address):
        assert spelling.endswith(".") or socket.inet_aton(spelling) == address.packed
        with pytest.raises(Problem) as caught:
            check_url(f"http://{spelling}/", allow_private=False)
        named = "may not be reached" if blocked(str(address)) else f"write it as {address}."
        assert named in caught.value.detail


@given(st.one_of(v4, v6))
def test_a_literal_in_its_usual_form_is_taken_exactly_where_it_is_not_blocked(
    address: IPv4Address | IPv6Address,
) -> None:
    url = f"http://[{address}]/" if address.version == 6 else f"http://{address}/"
    if blocked(str(ip_address(str(address)))) is None:
        check_url(url, allow_private=False)
    else:
        with pytest.raises(Problem):
            check_url(url, allow_private=False)


@given(st.text(max_size=40))
def test_no_text_makes_the_check_fail_otherwise(text: str) -> None:
    for url in (text, f"http://{text}", f"https://{text}/x"):
        try:
            check_url(url, allow_private=False)
        except Problem as problem:
            assert problem.code is TARGET_REFUSED
