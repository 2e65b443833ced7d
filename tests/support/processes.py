"""Real processes of the product on free ports; only pids that were recorded here are ever signalled."""

import atexit
import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil

from tests.support.waiting import wait_for

ROOT = Path(__file__).resolve().parents[2]
MIB = 1024 * 1024


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def child_environment(overrides: Mapping[str, str]) -> dict[str, str]:
    """The environment of a child: ours without other Streamgauge settings, both import roots, `overrides`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("STREAMGAUGE_")}
    roots = [str(ROOT), str(ROOT / "platform")]
    extra = overrides.get("PYTHONPATH")
    path = os.pathsep.join([extra, *roots] if extra else roots)
    settings = {"DJANGO_SETTINGS_MODULE": "config.settings.dev", "PYTHONUNBUFFERED": "1"}
    return {**kept, **settings, **overrides, "PYTHONPATH": path}


def run_manage(environment: Mapping[str, str], *arguments: str, timeout: float = 120) -> str:
    """Run a command of manage.py, or `-m` and a module, to its end; fail with its output otherwise."""
    command = (
        [sys.executable, *arguments] if arguments[0] == "-m" else [sys.executable, "manage.py", *arguments]
    )
    done = subprocess.run(
        command, cwd=ROOT, env=dict(environment), capture_output=True, text=True, timeout=timeout, check=False
    )
    if done.returncode:
        raise AssertionError(f"{arguments} exited with {done.returncode}:\n{done.stdout}\n{done.stderr}")
    return done.stdout


class Process:
    """One child in a process group of its own, with its output in a file."""

    def __init__(self, command: Sequence[str], *, environment: Mapping[str, str], log: Path) -> None:
        self.log = log
        with log.open("ab") as output:
            self._popen = subprocess.Popen(
                list(command),
                cwd=ROOT,
                env=dict(environment),
                stdout=output,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        self.pid = self._popen.pid
        _recorded.append(self)

    @property
    def running(self) -> bool:
        return self._popen.poll() is None

    @property
    def exit_code(self) -> int | None:
        return self._popen.poll()

    def signal_one(self, number: signal.Signals, pid: int | None = None) -> None:
        """Signal this process, or one of its own descendants."""
        target = pid or self.pid
        if target != self.pid and target not in self.descendants():
            raise AssertionError(f"{target} is not a process that this test started")
        os.kill(target, number)

    def signal_group(self, number: signal.Signals) -> None:
        """Signal this process and the descendants that stayed in its group."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, number)

    def descendants(self) -> list[int]:
        try:
            return [child.pid for child in psutil.Process(self.pid).children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def kill(self) -> None:
        """kill -9 of the whole group, as a power cut would; returns when it is gone."""
        self.signal_group(signal.SIGKILL)
        self._popen.wait(timeout=10)

    def stop(self, seconds: float = 15) -> None:
        """SIGTERM, then SIGKILL for what is left."""
        self.signal_group(signal.SIGCONT)
        if self.running:
            self.signal_one(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._popen.wait(timeout=seconds)
        self.kill()
        if self in _recorded:
            _recorded.remove(self)

    def wait_until_dead(self, seconds: float = 30) -> int:
        """The exit code, once it has ended by itself."""
        wait_for(lambda: not self.running, seconds=seconds, what=f"pid {self.pid} to end")
        code = self._popen.poll()
        assert code is not None
        return code

    def wait_until_listening(self, port: int, seconds: float = 30) -> None:
        def accepts() -> bool:
            if not self.running:
                raise AssertionError(f"pid {self.pid} ended with {self.exit_code}:\n{self.tail()}")
            with socket.socket() as probe:
                probe.settimeout(1)
                return probe.connect_ex(("127.0.0.1", port)) == 0

        wait_for(accepts, seconds=seconds, what=f"pid {self.pid} to listen on {port}")

    def tail(self, characters: int = 4000) -> str:
        return self.log.read_text(errors="replace")[-characters:]

    def peak_memory_mib(self) -> float:
        """Highest resident size so far (VmHWM) of this process."""
        return peak_memory_mib(self.pid)


def peak_memory_mib(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return 0.0


_recorded: list[Process] = []


@atexit.register
def _leave_none_behind() -> None:
    for process in list(_recorded):
        process.stop(seconds=3)
