"""The client for asyncio: the same, as one task of the loop it is first used in."""

from __future__ import annotations

import asyncio
import logging
import time
import warnings
from collections.abc import Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any

import httpx

from streamgauge.base import BaseClient, fail_all, failed_of, judged_of, lost, reply
from streamgauge.buffer import DiskBuffer
from streamgauge.core import Direct, Drain, Spill
from streamgauge.delivery import Delivery, Post
from streamgauge.errors import BufferFull, BufferUnusable, StreamgaugeError, Undelivered
from streamgauge.events import Prepared
from streamgauge.receipts import Receipt, resolve
from streamgauge.verdicts import Answer, Stopped

log = logging.getLogger("streamgauge")
ROOM_POLL_SECONDS = 0.5  # another process may make room on disk without telling


class AsyncClient(BaseClient):
    """Of one event loop. Close it: `async with` does."""

    def _start(self) -> None:
        self._changed = asyncio.Condition()
        self._stop_at = float("inf")
        self._closed = False
        self._http = httpx.AsyncClient(timeout=self._timeout)
        self._task: asyncio.Task[None] | None = None

    async def send(self, event: Mapping[str, Any]) -> Receipt:
        """Queues one event; gives it a UUIDv7 when it has no `id`. As send_many."""
        return (await self.send_many((event,)))[0]

    async def send_many(self, events: Iterable[Mapping[str, Any]]) -> list[Receipt]:
        """Queues all of them or none; the receipts are in their order, and can be awaited.

        Raises InvalidEvent, BufferFull, BufferUnusable or ClientClosed; then none was taken.
        """
        receipts = [self._core.prepare(event) for event in events]
        self._ensure_task()
        deadline = time.monotonic() + self._wait_when_full
        while receipts and (full := await self._take_in(receipts)) is not None:
            left = deadline - time.monotonic()
            if left <= 0:
                raise full
            await self._wait(min(left, ROOM_POLL_SECONDS))
        return receipts

    async def flush(self, timeout: float = 30.0) -> None:
        """Returns when each event given to `send` is stored, or on disk.

        Raises NotStored for those that failed, or are not answered after `timeout` seconds (these are still tried).
        """
        self._ensure_task()
        self._core.flushing = True
        await self._notify()
        deadline = time.monotonic() + timeout
        while not self._core.idle and (left := deadline - time.monotonic()) > 0:
            await self._wait(left)
        self._core.require_stored()

    async def on_disk(self) -> int:
        """Events in the disk buffer, of all its processes."""
        return await asyncio.to_thread(self._disk.count) if self._disk else 0

    async def close(self, timeout: float = 30.0) -> int:
        """Sends what waits, at most `timeout` seconds long; returns how many events are left on disk.

        What is neither stored nor on disk then is raised: NotStored has these events.
        """
        if self._closed:
            return 0
        self._closed = self._core.closing = True
        self._stop_at = time.monotonic() + timeout
        await self._notify()
        if self._task is not None:
            await asyncio.wait([self._task], timeout=timeout)
            self._task.cancel()  # a request that is still on its way has its events among the leftovers
            await asyncio.wait([self._task])
        await self._save_leftovers()
        on_disk = await self.on_disk()
        await self._http.aclose()
        if self._disk is not None:
            self._disk.close()
        self._core.require_stored()
        return on_disk

    async def __aenter__(self) -> AsyncClient:
        self._ensure_task()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def __del__(self) -> None:
        if not getattr(self, "_closed", True) and not self._core.idle:
            message = "An AsyncClient with unsent events was not closed."
            warnings.warn(message, ResourceWarning, stacklevel=1, source=self)

    def _ensure_task(self) -> None:
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="streamgauge")

    async def _take_in(self, receipts: Sequence[Receipt]) -> BufferFull | None:
        """Into memory or onto disk; what to raise when there is no room."""
        now = time.monotonic()
        if (disk := self._disk_for_new(now)) is not None:
            return await self._append(disk, receipts)
        if not self._core.add(receipts, now):
            return self._core.no_room()
        await self._notify()
        return None

    async def _append(self, disk: DiskBuffer, receipts: Sequence[Receipt]) -> BufferFull | None:
        try:
            await asyncio.to_thread(disk.append, [receipt.prepared for receipt in receipts])
        except BufferFull as full:
            return full
        for receipt in receipts:
            receipt.stored("buffered")
        self._core.buffered(len(receipts), time.monotonic())
        await self._notify()
        return None

    async def _run(self) -> None:
        try:
            while (work := await self._next()) is not None:
                await self._do(work)
        except Exception as error:  # the boundary of the task: nobody else would tell the waiting
            log.exception("the client's task failed")
            self._core.closing = True
            left = self._core.leftovers()
            self._core.landed(fail_all(left, Undelivered(f"the client failed: {error!r}")), len(left))
            await self._notify()

    async def _next(self) -> Direct | Spill | Drain | None:
        while (now := time.monotonic()) < self._stop_at:
            step = self._core.next(now)
            if not isinstance(step, float):
                return step
            await self._wait(min(step, max(0.0, self._stop_at - now)))
        return None

    async def _do(self, work: Direct | Spill | Drain) -> None:
        if isinstance(work, Direct):
            await self._send(work.receipts)
        elif isinstance(work, Spill):
            await self._spill(work.receipts, [])
        else:
            await self._drain()

    async def _send(self, receipts: list[Receipt]) -> None:
        delivery = await self._deliver([receipt.prepared for receipt in receipts])
        unheard = resolve(receipts, delivery, self._on_rejected)
        failed = failed_of(receipts, delivery)
        self._core.delivered(delivery, time.monotonic())
        if failed and self._disk is not None:
            await self._spill(failed, unheard)
            return
        if delivery.error is not None:
            unheard += fail_all(failed, delivery.error)
        self._core.landed(unheard, len(failed))
        await self._notify()

    async def _spill(self, receipts: list[Receipt], unheard: list[Receipt]) -> None:
        """Onto disk; when that is impossible they stay in memory."""
        assert self._disk is not None
        refused: StreamgaugeError | None
        try:
            refused = await self._append(self._disk, receipts)
        except BufferUnusable as error:
            refused = error
        self._core.landed(unheard)
        if refused is not None:
            log.warning("events stay in memory: %s", refused)
            self._core.put_back(receipts, time.monotonic())
        await self._notify()

    async def _drain(self) -> None:
        """One request of what lies on disk, if no other process is its sender."""
        assert self._disk is not None
        disk, batch = self._disk, self._core.batch
        try:
            rows = await asyncio.to_thread(lambda: disk.oldest(batch) if disk.may_drain() else [])
            if not rows:
                await self._drained(Delivery(), more=False)
                return
            delivery = await self._deliver([row.prepared for row in rows])
            unheard = resolve([Receipt(row.prepared) for row in rows], delivery, self._on_rejected)
            await asyncio.to_thread(disk.remove, judged_of(rows, delivery))
        except BufferUnusable as error:
            log.warning("the disk buffer waits: %s", error)
            await self._drained(Delivery(), more=False)
            return
        await self._drained(delivery, more=True, unheard=unheard)

    async def _drained(self, delivery: Delivery, *, more: bool, unheard: Sequence[Receipt] = ()) -> None:
        now = time.monotonic()
        if more:
            self._core.delivered(delivery, now)
        if delivery.error is None:
            self._core.drained(more=more, now=now)
        self._core.landed(unheard)
        await self._notify()

    async def _deliver(self, events: Sequence[Prepared]) -> Delivery:
        if self._limits_wanted:
            await self._ask_limits()
        steps = self._core.deliver(events, time.monotonic())
        post = next(steps)
        while True:
            try:
                post = steps.send(await self._answer(post))
            except StopIteration as end:
                delivery: Delivery = end.value
                return delivery

    async def _answer(self, post: Post) -> Answer:
        if post.again is not None:
            self._core.retrying(post.again)
        if await self._stopped_while_waiting(post.after):
            return Stopped(time.monotonic())
        url, body, headers = self._request(post)
        try:
            return reply(await self._http.post(url, content=body, headers=headers))
        except httpx.RequestError as error:
            return lost(error)

    async def _stopped_while_waiting(self, seconds: float) -> bool:
        until = time.monotonic() + seconds
        while (now := time.monotonic()) < min(until, self._stop_at):
            await self._wait(min(until, self._stop_at) - now)
        return now >= self._stop_at

    async def _ask_limits(self) -> None:
        try:
            self._learn(await self._http.get(f"{self._url}/api/v1/limits", headers=self._headers))
        except httpx.RequestError:
            return  # the delivery that follows will tell

    async def _save_leftovers(self) -> None:
        """What a close out of time left: onto disk if there is one, otherwise it is reported."""
        left = self._core.leftovers()
        if left and self._disk is not None:
            try:
                if await self._append(self._disk, left) is None:
                    return
            except BufferUnusable:
                log.exception("what is left cannot go to disk")
        error = self._core.trouble or Undelivered("the client was closed before the server answered")
        self._core.landed(fail_all(left, error), len(left))

    async def _notify(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    async def _wait(self, seconds: float) -> None:
        """Until something changes, at most so long."""
        async with self._changed:
            try:
                await asyncio.wait_for(self._changed.wait(), seconds)
            except asyncio.TimeoutError:
                return
