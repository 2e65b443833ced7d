"""A request's body and headers. Pure."""

from __future__ import annotations

import gzip
from collections.abc import Sequence

from streamgauge.events import Prepared

GZIP_FROM_BYTES = 4 * 1024
PAYS_BELOW = 0.9  # of the size: less of a saving is not worth the server's work


def encode_body(events: Sequence[Prepared], *, compress: bool) -> tuple[bytes, dict[str, str]]:
    """(body, headers). The same events give the same meaning, compressed or not."""
    body = b"[" + b",".join(prepared.body for prepared in events) + b"]"
    headers = {"Content-Type": "application/json"}
    if compress and len(body) >= GZIP_FROM_BYTES:
        smaller = gzip.compress(body, compresslevel=1, mtime=0)
        if len(smaller) < len(body) * PAYS_BELOW:
            return smaller, {**headers, "Content-Encoding": "gzip"}
    return body, headers
