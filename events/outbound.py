"""The one way out to an address that a user typed: nothing inside this network is reached by it (SSRF)."""

import ipaddress
import socket
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final
from urllib.parse import SplitResult, urlsplit

import httpx
from django.conf import settings

SCHEMES: Final = frozenset({"https", "http"})
CONNECT_SECONDS: Final = 5.0
READ_SECONDS: Final = 20.0
PIECE: Final = 256 * 1024
_PORTS: Final = {"https": 443, "http": 80}

_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolve = Callable[[str, int], list[str]]


class OutboundError(Exception):
    """The request was not made, or not answered: the text says which, and what to do."""


class OutboundRefused(OutboundError):
    """This address may not be reached from here, now or later."""


@dataclass(frozen=True, slots=True)
class Destination:
    """A URL whose address was looked up and allowed; requests go to `address`, whatever the name says later."""

    url: str
    scheme: str
    host: str
    port: int
    address: str

    @property
    def pinned_url(self) -> str:
        """The URL with the address in the place of the name."""
        host = f"[{self.address}]" if ":" in self.address else self.address
        return urlsplit(self.url)._replace(netloc=f"{host}:{self.port}").geturl()

    @property
    def host_header(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Answered:
    """Status and lower-case headers of an answer; `pieces` are its body's bytes as they come, not decoded."""

    status: int
    headers: Mapping[str, str]
    pieces: Iterator[bytes]


def look_up(host: str, port: int) -> list[str]:
    """The addresses of a name, as the system resolves it. Raises OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


def allow(
    url: str, *, allowed_hosts: Collection[str] | None = None, resolve: Resolve = look_up
) -> Destination:
    """Where a URL leads. Raises OutboundRefused for another scheme, credentials in it, or an address inside.

    Every address of the name must be a public one, unless `allowed_hosts` (the setting OUTBOUND_ALLOWED_HOSTS) has
    the name itself, with or without its port.
    """
    parts = _parts(url)
    host, port = parts.hostname or "", parts.port or _PORTS[parts.scheme]
    by_name = settings.OUTBOUND_ALLOWED_HOSTS if allowed_hosts is None else allowed_hosts
    try:
        addresses = resolve(host, port)
    except (OSError, UnicodeError) as error:
        raise OutboundError(f"The name {host!r} was not found: {error}.") from None
    if not addresses:
        raise OutboundError(f"The name {host!r} has no address.")
    if host not in by_name and f"{host}:{port}" not in by_name:
        for address in addresses:
            _require_public(host, address)
    return Destination(url, parts.scheme, host, port, addresses[0])


@contextmanager
def request(
    method: str,
    destination: Destination,
    *,
    headers: Mapping[str, str] | None = None,
    content: bytes | None = None,
    seconds: float,
) -> Iterator[Answered]:
    """Send one request to an allowed destination. Redirects are not followed; no proxy is used.

    Raises OutboundError when it is not answered, or its body does not arrive, within `seconds` altogether.
    """
    deadline = time.monotonic() + seconds
    timeout = httpx.Timeout(min(READ_SECONDS, seconds), connect=min(CONNECT_SECONDS, seconds))
    sent = {"Accept-Encoding": "identity", **(headers or {}), "Host": destination.host_header}
    try:
        with (
            httpx.Client(timeout=timeout, trust_env=False, follow_redirects=False) as client,
            client.stream(
                method, destination.pinned_url, headers=sent, content=content,
                extensions={"sni_hostname": destination.host},
            ) as answer,
        ):  # fmt: skip
            names = {name.lower(): value for name, value in answer.headers.items()}
            yield Answered(answer.status_code, names, _pieces(answer, deadline, seconds))
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        raise OutboundError(f"{destination.host} did not answer: {error or type(error).__name__}.") from None


def _pieces(answer: httpx.Response, deadline: float, seconds: float) -> Iterator[bytes]:
    for piece in answer.iter_raw(PIECE):
        if time.monotonic() > deadline:
            raise OutboundError(f"The answer did not arrive within {seconds:.0f} s.")
        yield piece


def _parts(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        raise OutboundRefused(f"This is not a URL: {error}.") from None
    if parts.scheme not in SCHEMES:
        raise OutboundRefused(f"A URL must begin with {' or '.join(sorted(SCHEMES))}, not {parts.scheme!r}.")
    if not parts.hostname or any(character.isspace() or ord(character) < 32 for character in url):
        raise OutboundRefused("The URL names no host, or holds spaces.")
    if parts.username is not None or parts.password is not None:
        raise OutboundRefused("Leave user name and password out of the URL: it is shown to others.")
    return parts


def _require_public(host: str, address: str) -> None:
    found = ipaddress.ip_address(address.partition("%")[0])
    if not all(each.is_global and not each.is_multicast for each in (found, _inside(found))):
        raise OutboundRefused(
            f"{host!r} leads to {address}, which is not a public address. An operator may allow the name in "
            "STREAMGAUGE_OUTBOUND_ALLOWED_HOSTS."
        )


def _inside(address: Address) -> Address:
    """The IPv4 address that an IPv6 one stands for (mapped, 6to4, NAT64), else the address itself."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address
