"""The product's processes against a scratch database, as an operator would run them."""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from config import env
from provisioning import processes as commands
from tests.support.databases import ScratchDatabase
from tests.support.processes import Process, child_environment, free_port, run_manage


@dataclass(frozen=True)
class Seeded:
    """A project of the scratch database with its keys."""

    project_id: int
    slug: str
    ingest_key: str = field(repr=False)
    read_key: str = field(repr=False)


@dataclass
class Stack:
    """Starts processes; everything it started ends with it."""

    database: ScratchDatabase
    redis_url: str = field(repr=False)
    folder: Path
    extra: Mapping[str, str] = field(default_factory=dict)
    started: list[Process] = field(default_factory=list)

    def environment(self, mode: str, **overrides: str) -> dict[str, str]:
        urls = {
            "STREAMGAUGE_DATABASE_URL": self.database.url,
            "STREAMGAUGE_REDIS_URL": self.redis_url,
            "STREAMGAUGE_MODE": mode,
        }
        return child_environment({**urls, **self.extra, **overrides})

    def seed(self, slug: str, pattern: str | None = None, *, window_seconds: int = 10) -> Seeded:
        """A new project with a key to send and one to read; a pipeline counts the types of glob `pattern`."""
        pipeline = [pattern, str(window_seconds)] if pattern else []
        answer = run_manage(self.environment("web"), "-m", "tests.support.seed", slug, *pipeline)
        return Seeded(**json.loads(answer.splitlines()[-1]))

    def start_ingest(
        self, port: int | None = None, options: Sequence[str] = (), **overrides: str
    ) -> "Serving":
        """`options` are of its command line, where the last word counts."""
        port = port or free_port()
        command = (*commands.ingest_command("127.0.0.1", port), *options)
        process = self._start("ingest", command, **overrides)
        process.wait_until_listening(port)
        return Serving(process, port)

    def start_web(self, port: int | None = None, **overrides: str) -> "Serving":
        port = port or free_port()
        process = self._start("web", commands.web_command("127.0.0.1", port), **overrides)
        process.wait_until_listening(port)
        return Serving(process, port)

    def start_worker(self, **overrides: str) -> Process:
        return self._start("worker", commands.worker_command(), **overrides)

    def start_beat(self, **overrides: str) -> Process:
        return self._start("worker", commands.beat_command(self.folder / "beat-schedule"), **overrides)

    def start_module(self, module: str, **overrides: str) -> Process:
        """A helper's module, which ends by itself."""
        return self._start("web", (sys.executable, "-m", module), **overrides)

    def stop(self) -> None:
        for process in reversed(self.started):
            process.stop()
        self.started.clear()

    def _start(self, mode: str, command: tuple[str, ...], **overrides: str) -> Process:
        log = self.folder / f"{mode}-{len(self.started)}.log"
        process = Process(command, environment=self.environment(mode, **overrides), log=log)
        self.started.append(process)
        return process


@dataclass(frozen=True)
class Serving:
    """A serving process and where it listens."""

    process: Process
    port: int


@contextmanager
def running_stack(
    database: ScratchDatabase,
    folder: Path,
    *,
    redis_url: str | None = None,
    extra: Mapping[str, str] | None = None,
) -> Iterator[Stack]:
    stack = Stack(database, redis_url or env.redis_url(), folder, extra or {})
    try:
        yield stack
    finally:
        stack.stop()
