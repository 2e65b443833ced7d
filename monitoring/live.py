"""Hints to the web processes that a project's rows have changed: the only place that calls group_send."""

import asyncio
import os
from collections.abc import Iterable
from typing import Final, Self

from channels.layers import get_channel_layer

GROUP: Final = "live"
PUBLISH_SECONDS: Final = 0.5


class Publisher:
    """Publishes for one thread, on an event loop of its own that keeps the connection to Redis."""

    def __init__(self) -> None:
        self._runner: asyncio.Runner | None = None
        self._process = 0

    def publish(self, project_ids: Iterable[int]) -> None:
        """Tell every web process. Blocks at most PUBLISH_SECONDS; never call it on an event loop.

        Raises redis.exceptions.RedisError or OSError (also TimeoutError) when Redis did not take the hint. Nothing
        is lost then but time: hubs read their rows every two seconds anyway.
        """
        # A forked child must not use its parent's loop.
        if self._runner is None or self._process != os.getpid():
            self._runner, self._process = asyncio.Runner(), os.getpid()
        self._runner.run(_send(sorted(set(project_ids))))

    def close(self) -> None:
        """Let go of the connection. Call it from the thread that published."""
        if self._runner is not None:
            self._runner.close()
            self._runner = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


async def _send(project_ids: list[int]) -> None:
    async with asyncio.timeout(PUBLISH_SECONDS):
        await get_channel_layer().group_send(GROUP, {"type": "live.hint", "projects": project_ids})
