"""What every benchmark has: a scratch database, the product's processes, and generators of load."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

import msgspec

from tests.benchmarks.copying import checkpoint
from tests.benchmarks.generator import Samples, Spec
from tests.support.databases import ScratchDatabase
from tests.support.processes import ROOT, Process, child_environment, free_port, peak_memory_mib
from tests.support.stack import Seeded, Serving, Stack

TABLES = (
    "event, event_identity, event_segment, event_tail, ingest_flush, ingest_count, ingest_latency, "
    "rollup_ledger"
)
# Generous: a benchmark that hangs must end, and say so.
GENERATOR_SECONDS = 300


@dataclass
class Bench:
    """One run of `python -m tests.benchmarks`."""

    stack: Stack
    seconds: float
    say: Callable[[str], None]
    peaks: dict[str, float] = field(default_factory=dict)  # MiB by process name, over the whole run
    _seeded: int = 0

    @property
    def database(self) -> ScratchDatabase:
        return self.stack.database

    def seed(self, pattern: str | None = None) -> Seeded:
        """A new project; with a type glob, one pipeline of it wants those events."""
        self._seeded += 1
        return self.stack.seed(f"bench-{self._seeded}", pattern)

    def clear(self) -> None:
        """Empty tables, and no checkpoint owed to the run before."""
        with self.database.connect() as connection:
            connection.execute(f"TRUNCATE {TABLES}".encode())
            checkpoint(connection)

    @contextmanager
    def ingest(self) -> Iterator[Serving]:
        serving = self.stack.start_ingest()
        try:
            yield serving
        finally:
            self.note_memory("ingest", serving.process)
            serving.process.stop()

    @contextmanager
    def everything(self) -> Iterator[tuple[Serving, Serving]]:
        """(ingest, web), with a worker and beat beside them."""
        started = {
            "ingest": (ingest := self.stack.start_ingest()).process,
            "web": (web := self.stack.start_web()).process,
            "worker": self.stack.start_worker(),
            "beat": self.stack.start_beat(),
        }
        try:
            yield ingest, web
        finally:
            for name, process in started.items():
                self.note_memory(name, process)
                process.stop()

    def note_memory(self, name: str, process: Process) -> None:
        """Keep the highest peak seen under a name; a worker's children count one by one."""
        children = process.descendants()
        for each, pid in [(name, process.pid), *((f"{name} child", pid) for pid in children)]:
            self.peaks[each] = max(self.peaks.get(each, 0.0), peak_memory_mib(pid))


class Generator:
    """The load generator's process: made ready ahead of the clock, then let go."""

    def __init__(self, spec: Spec) -> None:
        self._popen = subprocess.Popen(
            [sys.executable, "-m", "tests.benchmarks.generator"],
            cwd=ROOT,
            env=child_environment({}),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self._write(msgspec.json.encode(spec))
        assert self._popen.stdout is not None
        ready = self._popen.stdout.readline()
        assert ready == b"ready\n", f"the load generator did not start: {ready!r}"

    def go(self) -> None:
        self._write(b"go")

    def samples(self) -> Samples:
        """What it measured, once it is through."""
        out, _ = self._popen.communicate(timeout=GENERATOR_SECONDS)
        assert self._popen.returncode == 0, f"the load generator ended with {self._popen.returncode}"
        return msgspec.json.decode(out, type=Samples)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._popen.poll() is None:
            self._popen.kill()
            self._popen.communicate()

    def _write(self, line: bytes) -> None:
        assert self._popen.stdin is not None
        self._popen.stdin.write(line + b"\n")
        self._popen.stdin.flush()


def generate(spec: Spec) -> Samples:
    with Generator(spec) as generator:
        generator.go()
        return generator.samples()


def bare_rate(bench: Bench, spec: Spec) -> float:
    """Requests a second that a bare ASGI app answers on the same server to the same load."""
    port = free_port()
    command = [
        sys.executable, "-m", "uvicorn", "tests.benchmarks.bare_app:application", "--host", "127.0.0.1",
        "--port", str(port), "--loop", "uvloop", "--http", "httptools", "--no-access-log",
        "--log-level", "warning",
    ]  # fmt: skip
    process = Process(command, environment=child_environment({}), log=bench.stack.folder / "bare.log")
    try:
        process.wait_until_listening(port)
        samples = generate(msgspec.structs.replace(spec, port=port))
    finally:
        process.stop()
    return len(samples.latencies) / samples.seconds
