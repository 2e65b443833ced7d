"""Which pages a browser may open a socket from, asked by every socket."""

from urllib.parse import urlsplit

from django.conf import settings
from django.http.request import split_domain_port, validate_host

Headers = list[tuple[bytes, bytes]]


def header(headers: Headers, name: bytes) -> str:
    """The value of a header by its lower-case name; "" when it was not sent."""
    return next((value.decode("latin-1") for key, value in headers if key == name), "")


def origin_is_ours(headers: Headers) -> bool:
    """Whether a browser may open this socket: only from a page of this very host and port.

    Programs send no Origin; they are let in to authenticate with a key.
    """
    origin, host = header(headers, b"origin"), header(headers, b"host")
    if not origin or origin in settings.CSRF_TRUSTED_ORIGINS:
        return True
    known = validate_host(split_domain_port(host)[0], settings.ALLOWED_HOSTS)
    return known and urlsplit(origin).netloc.lower() == host.lower()
