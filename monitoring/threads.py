"""Threads for the live page's database reads: a database that hangs must stop neither sockets nor views."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from django.db import close_old_connections

from monitoring.errors import Unavailable

P = ParamSpec("P")
T = TypeVar("T")

THREADS = ThreadPoolExecutor(max_workers=4, thread_name_prefix="live-rows")


def start(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> "asyncio.Future[T]":
    """Run `function` in one of our threads, and give its connection back to the pool afterwards."""

    def run() -> T:
        close_old_connections()
        try:
            return function(*args, **kwargs)
        finally:
            close_old_connections()

    future = asyncio.get_running_loop().run_in_executor(THREADS, run)
    future.add_done_callback(_retrieve)
    return future


async def within(seconds: float, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """The result of `function`, run in one of our threads.

    Raises Unavailable when it does not return in time; the thread then ends by itself, unheard.
    """
    future = start(function, *args, **kwargs)
    done, _ = await asyncio.wait({future}, timeout=seconds)
    if not done:
        raise Unavailable
    return future.result()


def _retrieve(future: "asyncio.Future[T]") -> None:
    """Mark the exception of a read that nobody waits for any more as seen."""
    if not future.cancelled():
        future.exception()
