"""Idempotency-Key: what makes a request known again, and which of them are on their way in this process."""

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from hashlib import blake2b
from typing import Final
from uuid import UUID

from events.errors import IngestError, RequestRefused
from events.requests import IngestOptions
from events.submissions import Keyed, Submission, Verdicts


def keyed_request(
    *, project_id: int, options: IngestOptions, body: bytes, frames: Iterable[bytes]
) -> Keyed | None:
    """What a request is known by: its key within its project, and what it holds with how to read it.

    That is the decompressed body, or in another protocol, whose events may be in headers too, the events' texts.
    None without a key, and for a dry run, which stores nothing that could be repeated.
    """
    if not options.idempotency_key or options.dry_run:
        return None
    key = blake2b(f"{project_id}\0{options.idempotency_key}".encode(), digest_size=16)
    ours = isinstance(options.body_format, str)
    read_as = options.body_format if ours else "protocol"
    content = blake2b(f"{read_as}\0{options.on_error}\0".encode(), digest_size=32)
    for text in [body] if ours else frames:
        content.update(text)
    return Keyed(key.digest(), content.digest())


def made_id(keyed: Keyed, position: int) -> str:
    """The id of an event that came without one: alike in each retry, so that identity knows it (UUIDv8, RFC 9562)."""
    made = bytearray(blake2b(keyed.key + position.to_bytes(4, "big"), digest_size=16).digest())
    made[6] = made[6] & 0x0F | 0x80
    made[8] = made[8] & 0x3F | 0x80
    return str(UUID(bytes=bytes(made)))


class InFlight:
    """Keys of requests that this process has taken and not yet answered. Safe from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._keys: set[tuple[str, bytes]] = set()

    @contextmanager
    def holding(self, submission: Submission, using: str) -> Iterator[None]:
        """Hold the submission's key until it is answered, or the block fails. Raises RequestRefused (409)."""
        if submission.keyed is None:
            yield
            return
        mark, deliver = (using, submission.keyed.key), submission.deliver
        with self._lock:
            if mark in self._keys:
                raise in_flight_error()
            self._keys.add(mark)

        def deliver_and_let_go(answer: Verdicts | IngestError) -> None:
            self._let_go(mark)
            deliver(answer)

        submission.deliver = deliver_and_let_go
        try:
            yield
        except BaseException:
            self._let_go(mark)
            raise

    def _let_go(self, mark: tuple[str, bytes]) -> None:
        with self._lock:
            self._keys.discard(mark)


in_flight: Final = InFlight()


def in_flight_error() -> RequestRefused:
    return RequestRefused(
        409,
        "idempotency_in_flight",
        "A request with this Idempotency-Key is being stored just now; send it again shortly.",
        retry_after=1,
    )
