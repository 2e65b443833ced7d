"""Keeping processes alive: prefixed output, restarts with backoff, and an end that leaves none behind."""

import asyncio
import os
import shutil
import signal
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path

from provisioning.output import Say
from provisioning.processes import Child

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 15.0
STEADY_SECONDS = 30  # a process that ran this long starts again without a pause
GRACE_SECONDS = 15  # to finish requests and tasks in hand before SIGKILL
CHUNK = 65_536


class Supervisor:
    """Runs children until it is told to stop; `say` takes their lines and its own, each already prefixed."""

    def __init__(self, *, root: Path, environment: Mapping[str, str], say: Say) -> None:
        self._root = root
        self._environment = environment
        self._say = say
        self._stopping = asyncio.Event()
        self._keepers: list[asyncio.Task[None]] = []
        self._running: dict[str, asyncio.subprocess.Process] = {}
        self._width = 0

    async def run(self, children: Sequence[Child], then: Callable[[], Awaitable[Sequence[Child]]]) -> None:
        """Start `children`, await `then` (ready, announce) and start what it returns; end on a signal."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self._asked_to_stop)
        try:
            self._keep(children)
            ready = asyncio.ensure_future(then())
            stop = asyncio.ensure_future(self._stopping.wait())
            await asyncio.wait({ready, stop}, return_when=asyncio.FIRST_COMPLETED)
            if ready.done():
                self._keep(ready.result())
                await stop
            ready.cancel()
        finally:
            await self._stop_all()

    def _asked_to_stop(self) -> None:
        if self._stopping.is_set():  # asked twice: no more patience
            self._signal_all(signal.SIGKILL)
        self._stopping.set()

    def _keep(self, children: Sequence[Child]) -> None:
        self._width = max([self._width, *(len(child.name) for child in children)])
        self._keepers += [asyncio.create_task(self._keep_alive(child)) for child in children]

    async def _keep_alive(self, child: Child) -> None:
        pause = FIRST_PAUSE
        while not self._stopping.is_set():
            began = time.monotonic()
            code = await self._run_once(child)
            if self._stopping.is_set():
                return
            if not child.restart:
                self._line(child.name, "finished" if code == 0 else f"ended with {code}")
                return
            steady = time.monotonic() - began > STEADY_SECONDS
            pause = FIRST_PAUSE if steady else min(pause * 2, LONGEST_PAUSE)
            self._line(child.name, f"ended with {code}; starting it again in {pause:.1f} s")
            await self._sleep(pause)

    async def _run_once(self, child: Child) -> int:
        process = await asyncio.create_subprocess_exec(
            *_dying_with_us(),
            *child.command,
            cwd=self._root,
            env={**self._environment, **child.environment},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C reaches only us, who stop them in good order
        )
        self._running[child.name] = process
        if self._stopping.is_set():  # asked while it was being started
            process.terminate()
        try:
            await self._copy_output(child.name, process)
            return await process.wait()
        finally:
            del self._running[child.name]

    async def _copy_output(self, name: str, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        rest = b""
        while chunk := await process.stdout.read(CHUNK):
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                self._line(name, line.decode(errors="replace"))
        if rest:
            self._line(name, rest.decode(errors="replace"))

    def _line(self, name: str, text: str) -> None:
        try:
            self._say(f"{name:<{self._width}} | {text}")
        except OSError:  # whoever read us is gone (`make demo | head`): nothing more to do here
            self._stopping.set()

    async def _sleep(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._stopping.wait(), seconds)
        except TimeoutError:
            return

    async def _stop_all(self) -> None:
        self._stopping.set()
        self._signal_all(signal.SIGTERM)
        if not self._keepers:
            return
        _, late = await asyncio.wait(self._keepers, timeout=GRACE_SECONDS)
        if late:
            self._signal_all(signal.SIGKILL)
            await asyncio.wait(late)

    def _signal_all(self, number: signal.Signals) -> None:
        for process in list(self._running.values()):
            # Celery's parent passes SIGTERM on to its pool; told directly, the pool would die mid-task.
            if number is signal.SIGKILL:
                _signal_group(process.pid, number)
            elif process.returncode is None:
                process.send_signal(number)


def _signal_group(pid: int, number: signal.Signals) -> None:
    try:
        os.killpg(pid, number)
    except ProcessLookupError:
        return


def _dying_with_us() -> tuple[str, ...]:
    """Ask the kernel to end a child whose supervisor was killed with -9 (util-linux's setpriv)."""
    setpriv = shutil.which("setpriv")
    return (setpriv, "--pdeathsig", "TERM", "--") if setpriv else ()
