"""The client for threads: `send` returns at once, one thread of its own sends batch by batch."""

from __future__ import annotations

import atexit
import logging
import os
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any

import httpx

from streamgauge.base import BaseClient, fail_all, failed_of, judged_of, lost, reply
from streamgauge.buffer import DiskBuffer
from streamgauge.core import Direct, Drain, Spill
from streamgauge.delivery import Delivery, Post
from streamgauge.errors import (
    BufferFull,
    BufferUnusable,
    ClientClosed,
    NotStored,
    StreamgaugeError,
    Undelivered,
)
from streamgauge.events import Prepared
from streamgauge.receipts import Receipt, resolve
from streamgauge.verdicts import Answer, Stopped

log = logging.getLogger("streamgauge")
AT_EXIT_SECONDS = 5.0
ROOM_POLL_SECONDS = 0.5  # another process may make room on disk without telling


class Client(BaseClient):
    """Thread-safe. Make it after a fork, not before, and close it: `with` does."""

    def _start(self) -> None:
        self._changed = threading.Condition()
        self._stop_at = float("inf")
        self._ended = False
        self._closed = False
        self._pid = os.getpid()
        self._http = httpx.Client(timeout=self._timeout)
        self._thread = threading.Thread(target=self._run, name="streamgauge", daemon=True)
        self._thread.start()
        atexit.register(self._close_at_exit)

    def send(self, event: Mapping[str, Any]) -> Receipt:
        """Queues one event; gives it a UUIDv7 when it has no `id`. As send_many."""
        return self.send_many((event,))[0]

    def send_many(self, events: Iterable[Mapping[str, Any]]) -> list[Receipt]:
        """Queues all of them or none; the receipts are in their order.

        Raises InvalidEvent, BufferFull, BufferUnusable or ClientClosed; then none was taken.
        """
        if os.getpid() != self._pid:
            raise ClientClosed(
                "This client was made before a fork: its thread is not here. Make one after it."
            )
        receipts = [self._core.prepare(event) for event in events]
        deadline = time.monotonic() + self._wait_when_full
        while receipts and (full := self._take_in(receipts)) is not None:
            left = deadline - time.monotonic()
            if left <= 0:
                raise full
            with self._changed:
                self._changed.wait(min(left, ROOM_POLL_SECONDS))
        return receipts

    def flush(self, timeout: float = 30.0) -> None:
        """Returns when each event given to `send` is stored, or on disk.

        Raises NotStored for those that failed, or are not answered after `timeout` seconds (these are still tried).
        """
        with self._changed:
            self._core.flushing = True
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._core.idle, timeout)
            self._core.require_stored()

    def on_disk(self) -> int:
        """Events in the disk buffer, of all its processes."""
        return self._disk.count() if self._disk else 0

    def close(self, timeout: float = 30.0) -> int:
        """Sends what waits, at most `timeout` seconds long; returns how many events are left on disk.

        What is neither stored nor on disk then is raised: NotStored has these events.
        """
        with self._changed:
            if self._closed:
                return 0
            self._core.closing = True
            self._stop_at = time.monotonic() + timeout
            self._changed.notify_all()
        self._thread.join(timeout)
        self._save_leftovers()
        on_disk = self.on_disk()
        with self._changed:
            self._closed = True
            self._shut()
            self._core.require_stored()
        return on_disk

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _take_in(self, receipts: Sequence[Receipt]) -> BufferFull | None:
        """Into memory or onto disk; what to raise when there is no room."""
        now = time.monotonic()
        if (disk := self._disk_for_new(now)) is not None:
            return self._append(disk, receipts)
        with self._changed:
            if not self._core.add(receipts, now):
                return self._core.no_room()
            self._changed.notify_all()
        return None

    def _append(self, disk: DiskBuffer, receipts: Sequence[Receipt]) -> BufferFull | None:
        try:
            disk.append([receipt.prepared for receipt in receipts])
        except BufferFull as full:
            return full
        for receipt in receipts:
            receipt.stored("buffered")
        with self._changed:
            self._core.buffered(len(receipts), time.monotonic())
            self._changed.notify_all()
        return None

    def _run(self) -> None:
        try:
            while (work := self._next()) is not None:
                self._do(work)
        except Exception as error:  # the boundary of the thread: nobody else would tell the waiting
            log.exception("the client's thread failed")
            with self._changed:
                self._core.closing = True
                left = self._core.leftovers()
                self._core.landed(fail_all(left, Undelivered(f"the client failed: {error!r}")), len(left))
        finally:
            with self._changed:
                self._ended = True
                self._shut()
                self._changed.notify_all()

    def _next(self) -> Direct | Spill | Drain | None:
        with self._changed:
            while (now := time.monotonic()) < self._stop_at:
                step = self._core.next(now)
                if not isinstance(step, float):
                    return step
                self._changed.wait(min(step, max(0.0, self._stop_at - now)))
            return None

    def _do(self, work: Direct | Spill | Drain) -> None:
        if isinstance(work, Direct):
            self._send(work.receipts)
        elif isinstance(work, Spill):
            self._spill(work.receipts, [])
        else:
            self._drain()

    def _send(self, receipts: list[Receipt]) -> None:
        delivery = self._deliver([receipt.prepared for receipt in receipts])
        unheard = resolve(receipts, delivery, self._on_rejected)
        failed = failed_of(receipts, delivery)
        with self._changed:
            self._core.delivered(delivery, time.monotonic())
        if failed and self._disk is not None:
            self._spill(failed, unheard)
            return
        if delivery.error is not None:
            unheard += fail_all(failed, delivery.error)
        with self._changed:
            self._core.landed(unheard, len(failed))
            self._changed.notify_all()

    def _spill(self, receipts: list[Receipt], unheard: list[Receipt]) -> None:
        """Onto disk; when that is impossible they stay in memory."""
        assert self._disk is not None
        refused: StreamgaugeError | None
        try:
            refused = self._append(self._disk, receipts)
        except BufferUnusable as error:
            refused = error
        with self._changed:
            self._core.landed(unheard)
            if refused is not None:
                log.warning("events stay in memory: %s", refused)
                self._core.put_back(receipts, time.monotonic())
            self._changed.notify_all()

    def _drain(self) -> None:
        """One request of what lies on disk, if no other process is its sender."""
        assert self._disk is not None
        try:
            rows = self._disk.oldest(self._core.batch) if self._disk.may_drain() else []
            if not rows:
                self._drained(Delivery(), more=False)
                return
            delivery = self._deliver([row.prepared for row in rows])
            unheard = resolve([Receipt(row.prepared) for row in rows], delivery, self._on_rejected)
            self._disk.remove(judged_of(rows, delivery))
        except BufferUnusable as error:
            log.warning("the disk buffer waits: %s", error)
            self._drained(Delivery(), more=False)
            return
        self._drained(delivery, more=True, unheard=unheard)

    def _drained(self, delivery: Delivery, *, more: bool, unheard: Sequence[Receipt] = ()) -> None:
        now = time.monotonic()
        with self._changed:
            if more:
                self._core.delivered(delivery, now)
            if delivery.error is None:
                self._core.drained(more=more, now=now)
            self._core.landed(unheard)
            self._changed.notify_all()

    def _deliver(self, events: Sequence[Prepared]) -> Delivery:
        if self._limits_wanted:
            self._ask_limits()
        steps = self._core.deliver(events, time.monotonic())
        post = next(steps)
        while True:
            try:
                post = steps.send(self._answer(post))
            except StopIteration as end:
                delivery: Delivery = end.value
                return delivery

    def _answer(self, post: Post) -> Answer:
        if post.again is not None:
            with self._changed:
                self._core.retrying(post.again)
        if self._stopped_while_waiting(post.after):
            return Stopped(time.monotonic())
        url, body, headers = self._request(post)
        try:
            return reply(self._http.post(url, content=body, headers=headers))
        except httpx.RequestError as error:
            return lost(error)

    def _stopped_while_waiting(self, seconds: float) -> bool:
        until = time.monotonic() + seconds
        with self._changed:
            while (now := time.monotonic()) < min(until, self._stop_at):
                self._changed.wait(min(until, self._stop_at) - now)
        return now >= self._stop_at

    def _ask_limits(self) -> None:
        try:
            self._learn(self._http.get(f"{self._url}/api/v1/limits", headers=self._headers))
        except httpx.RequestError:
            return  # the delivery that follows will tell

    def _save_leftovers(self) -> None:
        """What a close out of time left: onto disk if there is one, otherwise it is reported."""
        with self._changed:
            left = self._core.leftovers()
        if left and self._disk is not None:
            try:
                if self._append(self._disk, left) is None:
                    return
            except BufferUnusable:
                log.exception("what is left cannot go to disk")
        error = self._core.trouble or Undelivered("the client was closed before the server answered")
        with self._changed:
            self._core.landed(fail_all(left, error), len(left))

    def _shut(self) -> None:
        """By whoever comes last, the closer or the thread."""
        if self._ended and self._closed:
            self._http.close()
            if self._disk is not None:
                self._disk.close()
            atexit.unregister(self._close_at_exit)

    def _close_at_exit(self) -> None:
        """A program that forgot to close loses nothing without a word."""
        if os.getpid() != self._pid:
            return
        try:
            self.close(AT_EXIT_SECONDS)
        except NotStored as error:
            log.critical("the program ends and %s", error)
