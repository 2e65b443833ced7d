"""Where to and with which key: flags first, then the environment."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping
from dataclasses import dataclass, field

from streamgauge.cli.outcomes import usage

INGEST_URL = "http://127.0.0.1:8001"
WEB_URL = "http://127.0.0.1:8000"


@dataclass(frozen=True)
class Server:
    """A URL and a key for it."""

    url: str
    key: str = field(repr=False)


def ingest_server(arguments: argparse.Namespace, environment: Mapping[str, str] = os.environ) -> Server:
    """The process that takes events."""
    url = arguments.url or environment.get("STREAMGAUGE_URL") or INGEST_URL
    return Server(_checked(url), _key(arguments, environment, "STREAMGAUGE_KEY"))


def web_server(
    arguments: argparse.Namespace, environment: Mapping[str, str] = os.environ, *, reads: bool
) -> Server:
    """The process with the live socket and the imports; behind one proxy it has the same URL as the other."""
    fallback = environment.get("STREAMGAUGE_URL") or WEB_URL
    url = arguments.url or environment.get("STREAMGAUGE_WEB_URL") or fallback
    names = ("STREAMGAUGE_READ_KEY", "STREAMGAUGE_KEY") if reads else ("STREAMGAUGE_KEY",)
    return Server(_checked(url), _key(arguments, environment, *names))


def _key(arguments: argparse.Namespace, environment: Mapping[str, str], *names: str) -> str:
    found = (environment.get(name) for name in names)
    key = arguments.key or next((value for value in found if value), "")
    if not key:
        usage(f"No key: set {names[0]} or give --key. `manage.py keys create` on the server makes one.")
    return str(key)


def _checked(url: str) -> str:
    if not url.startswith(("http://", "https://")):
        usage(f"The URL must start with http:// or https://, not {url!r}: see --url and STREAMGAUGE_URL.")
    return url.rstrip("/")
