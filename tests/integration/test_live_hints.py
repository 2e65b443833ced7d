"""Hints through a Redis of the test's own, which is emptied, frozen, killed and started again."""

import asyncio
import os
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from pytest_django import Settings
from redis import Redis
from redis.exceptions import RedisError

from monitoring.listener import Listener
from tests.support.live import HintingThread
from tests.support.processes import free_port
from tests.support.waiting import wait_for


class OwnRedis:
    """A server that only this test uses."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self._folder = folder
        self.start()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        program = shutil.which("redis-server") or shutil.which("valkey-server")
        assert program, "Install redis-server, or run `make provision`."
        command = [program, "--port", str(self.port), "--save", "", "--dir", str(self._folder)]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        wait_for(self._answers, seconds=10, what="the test's Redis")

    def _answers(self) -> bool:
        try:
            with Redis.from_url(self.url, socket_timeout=1) as client:
                return bool(client.ping())
        except RedisError:
            return False

    def flush(self) -> None:
        with Redis.from_url(self.url) as client:
            client.flushall()

    def freeze(self) -> None:
        os.kill(self._process.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        os.kill(self._process.pid, signal.SIGCONT)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()


@pytest.fixture
def redis(tmp_path: Path, settings: Settings) -> Iterator[OwnRedis]:
    redis = OwnRedis(tmp_path)
    backend = settings.CHANNEL_LAYERS["default"]["BACKEND"]
    settings.CHANNEL_LAYERS = {"default": {"BACKEND": backend, "CONFIG": {"hosts": [redis.url]}}}
    yield redis
    redis.kill()


class Ears:
    """A listener, and whether a hint gets through."""

    def __init__(self) -> None:
        self.heard = asyncio.Event()
        self.hinting = HintingThread()
        self.listener = Listener(lambda ids: self.heard.set())

    async def close(self) -> None:
        self.listener.stop()
        await self.hinting.close()

    async def hear(self, seconds: float = 15.0) -> None:
        self.heard.clear()
        async with asyncio.timeout(seconds):
            while not self.heard.is_set():
                try:
                    await self.hinting.publish(1)
                except (RedisError, OSError):
                    await asyncio.sleep(0.1)
                await asyncio.sleep(0.1)


@pytest.fixture
async def ears(redis: OwnRedis) -> AsyncIterator[Ears]:
    ears = Ears()
    yield ears
    await ears.close()


async def test_hints_survive_flushall(redis: OwnRedis, ears: Ears) -> None:
    await ears.hear()
    redis.flush()
    await ears.hear()


async def test_hints_come_back_after_redis_was_killed(redis: OwnRedis, ears: Ears) -> None:
    await ears.hear()
    redis.kill()
    with pytest.raises((RedisError, OSError)):
        await ears.hinting.publish(1)
    redis.start()
    await ears.hear()


async def test_a_frozen_redis_holds_a_publisher_for_half_a_second_at_most(
    redis: OwnRedis, ears: Ears
) -> None:
    await ears.hear()
    redis.freeze()
    began = asyncio.get_running_loop().time()
    try:
        with pytest.raises(TimeoutError):
            await ears.hinting.publish(1)
        assert asyncio.get_running_loop().time() - began < 2.0
    finally:
        redis.thaw()
    await ears.hear()


async def test_a_listener_that_starts_while_redis_is_frozen_hears_later(redis: OwnRedis) -> None:
    redis.freeze()
    ears = Ears()
    try:
        await asyncio.sleep(1.0)
    finally:
        redis.thaw()
    await ears.hear()
    await ears.close()
