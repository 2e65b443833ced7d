"""Hears hints from Redis for one process. Redis away only means that hubs poll: no socket ever waits for it."""

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress

import structlog
from channels.layers import get_channel_layer
from redis.exceptions import RedisError

from monitoring.live import GROUP

log = structlog.get_logger(__name__)

RETRY_SECONDS = 2.0
SUBSCRIBE_SECONDS = 3.0


class Listener:
    """A task that is subscribed to the live group, or tries to be; calls `on_hint` with project ids."""

    def __init__(self, on_hint: Callable[[Iterable[int]], None]) -> None:
        self._on_hint = on_hint
        self._task = asyncio.get_running_loop().create_task(self._run(), name="live-listener")

    def stop(self) -> None:
        self._task.cancel()

    async def _run(self) -> None:
        while True:
            try:
                await self._listen()
            except (RedisError, OSError) as error:  # TimeoutError is an OSError
                log.warning("live.hints_away", error=str(error) or type(error).__name__)
            await self._reset()
            await asyncio.sleep(RETRY_SECONDS)

    async def _listen(self) -> None:
        layer = get_channel_layer()
        async with asyncio.timeout(SUBSCRIBE_SECONDS):
            channel = await layer.new_channel()
            await layer.group_add(GROUP, channel)
        while True:
            message = await layer.receive(channel)
            self._on_hint(message["projects"])

    async def _reset(self) -> None:
        """A half-made subscription holds a lock and a queue in the layer: begin with a new connection."""
        with suppress(RedisError, OSError):
            async with asyncio.timeout(SUBSCRIBE_SECONDS):
                await get_channel_layer().flush()
