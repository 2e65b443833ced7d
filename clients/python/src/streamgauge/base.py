"""What making a client takes, and what both kinds do alike with a finished delivery."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Sequence

import httpx

from streamgauge.batching import BatchSize
from streamgauge.bodies import encode_body
from streamgauge.buffer import DiskBuffer, Row
from streamgauge.core import Bound, Core, Counts
from streamgauge.delivery import Delivery, Post
from streamgauge.errors import Undelivered
from streamgauge.limits import Limits
from streamgauge.receipts import OnRejected, Receipt
from streamgauge.retries import RetryPolicy
from streamgauge.verdicts import Lost, Reply

CONNECT_SECONDS = 5.0


class BaseClient:
    """Settings and figures of a client."""

    def __init__(
        self,
        url: str,
        key: str,
        *,
        batch: BatchSize | None = None,
        retry: RetryPolicy | None = None,
        bound: Bound | None = None,
        buffer: DiskBuffer | str | os.PathLike[str] | None = None,
        on_rejected: OnRejected | None = None,
        wait_when_full: float = 0.0,
        request_seconds: float = 30.0,
        compress: bool = True,
    ) -> None:
        """`url` is the server's, without a path; `key` has the scope `ingest`.

        `bound` is the most that waits in memory and `buffer` a file for what the server did not take. When they are
        full, `send` waits `wait_when_full` seconds for room and then raises BufferFull. `on_rejected` is told of each
        event that the server refused, also of one that an earlier run of the program left in the buffer; without
        it, `flush` and `close` raise.
        """
        if not url.startswith(("http://", "https://")):
            raise ValueError(f"url must start with http:// or https://, not {url!r}.")
        self._url = url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {key}"}
        self._disk = buffer if buffer is None or isinstance(buffer, DiskBuffer) else DiskBuffer(buffer)
        self._on_rejected = on_rejected
        self._wait_when_full = wait_when_full
        self._timeout = httpx.Timeout(request_seconds, connect=min(CONNECT_SECONDS, request_seconds))
        self._compress = compress
        self._limits_known = False
        self._core = Core(
            batch=batch or BatchSize(),
            retry=retry or RetryPolicy(),
            bound=bound or Bound(),
            has_disk=self._disk is not None,
        )
        self._start()

    def _start(self) -> None:
        """What the kind of client needs beside the settings."""
        raise NotImplementedError

    @property
    def counts(self) -> Counts:
        return self._core.counts

    @property
    def trouble(self) -> Undelivered | None:
        """Why the last request failed; None when it did not."""
        return self._core.trouble

    def _request(self, post: Post) -> tuple[str, bytes, dict[str, str]]:
        """(URL, body, headers)."""
        body, headers = encode_body(post.events, compress=self._compress)
        return f"{self._url}/api/v1/events", body, {**self._headers, **headers}

    def _disk_for_new(self, now: float) -> DiskBuffer | None:
        """Where new events go at once, if not into memory."""
        if self._disk is not None and (self._disk.always or self._core.is_away(now)):
            return self._disk
        return None

    @property
    def _limits_wanted(self) -> bool:
        """Not of a server that just failed: asking would double the wait."""
        return not self._limits_known and self._core.trouble is None

    def _learn(self, response: httpx.Response) -> None:
        """A server that does not publish its limits (404) has the default ones."""
        self._limits_known = response.status_code < 500
        if response.status_code == 200:
            with contextlib.suppress(ValueError):
                self._core.limits = Limits.read(response.json())


def reply(response: httpx.Response) -> Reply:
    return Reply(response.status_code, response.headers, response.content, time.monotonic(), time.time())


def lost(error: httpx.RequestError) -> Lost:
    return Lost(f"no answer ({type(error).__name__}: {error})", time.monotonic())


def failed_of(receipts: Sequence[Receipt], delivery: Delivery) -> list[Receipt]:
    failed = {id(prepared) for prepared in delivery.failed}
    return [receipt for receipt in receipts if id(receipt.prepared) in failed]


def judged_of(rows: Sequence[Row], delivery: Delivery) -> list[Row]:
    failed = {id(prepared) for prepared in delivery.failed}
    return [row for row in rows if id(row.prepared) not in failed]


def fail_all(receipts: Sequence[Receipt], error: Undelivered) -> list[Receipt]:
    """Tells each; returns those whose failure nobody will hear of."""
    for receipt in receipts:
        receipt.fail(error)
    return [receipt for receipt in receipts if not receipt.seen]
