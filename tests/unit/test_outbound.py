"""Where URLs of users may lead: public addresses of http and https, and what an operator names."""

import pytest
from pytest_django import Settings

from events.outbound import Destination, OutboundError, OutboundRefused, Resolve, allow

PUBLIC = "93.184.216.34"


def to(*addresses: str) -> Resolve:
    return lambda host, port: list(addresses)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.9.9.9", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1",
        "224.0.0.1", "255.255.255.255", "::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "ff02::1",
        "::ffff:127.0.0.1", "::ffff:10.0.0.1", "2002:7f00:1::", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe",
    ],
)  # fmt: skip
def test_a_name_that_leads_inside_is_refused(address: str) -> None:
    with pytest.raises(OutboundRefused, match="not a public address"):
        allow("https://files.example/a", allowed_hosts=(), resolve=to(address))


def test_one_address_inside_among_public_ones_is_enough() -> None:
    with pytest.raises(OutboundRefused):
        allow("https://files.example/a", allowed_hosts=(), resolve=to(PUBLIC, "10.0.0.1"))


@pytest.mark.parametrize(
    "url",
    [
        "ftp://files.example/a", "file:///etc/passwd", "gopher://x/", "//files.example/a", "files.example", "http://",
        "http:///a", "https://user:secret@files.example/", "https://files.example:99999/", "https://files.example/a b",
        "https://[::1", "",
    ],
)  # fmt: skip
def test_a_url_that_is_none_of_ours_is_refused(url: str) -> None:
    with pytest.raises(OutboundRefused):
        allow(url, allowed_hosts=(), resolve=to(PUBLIC))


def test_addresses_in_odd_notations_are_what_the_system_makes_of_them() -> None:
    for host in ("127.1", "2130706433", "0x7f000001", "localhost"):
        with pytest.raises(OutboundError):
            allow(f"http://{host}/", allowed_hosts=())


@pytest.mark.parametrize("named", ["inside.example", "inside.example:8080"])
def test_an_operator_may_allow_a_name(named: str, settings: Settings) -> None:
    settings.OUTBOUND_ALLOWED_HOSTS = [named]
    found = allow("http://inside.example:8080/a?b", resolve=to("10.0.0.1"))
    assert found == Destination("http://inside.example:8080/a?b", "http", "inside.example", 8080, "10.0.0.1")
    assert found.pinned_url == "http://10.0.0.1:8080/a?b"
    assert found.host_header == "inside.example:8080"
    with pytest.raises(OutboundRefused):
        allow("http://other.example/", resolve=to("10.0.0.1"))


def test_a_name_that_is_not_found_may_be_later() -> None:
    def fails(host: str, port: int) -> list[str]:
        raise OSError("no such host")

    with pytest.raises(OutboundError) as caught:
        allow("https://files.example/", allowed_hosts=(), resolve=fails)
    assert not isinstance(caught.value, OutboundRefused)


def test_an_ipv6_address_is_put_in_brackets() -> None:
    found = allow("https://[2606:2800:220:1::1]/a", allowed_hosts=(), resolve=to("2606:2800:220:1::1"))
    assert found.pinned_url == "https://[2606:2800:220:1::1]:443/a"
    assert found.host_header == "[2606:2800:220:1::1]"
