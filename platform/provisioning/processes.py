"""The four processes of an installation: one table for `make up`, the demo and the containers."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

# One folds partitions while the other closes windows; on two cores more would only queue.
WORKER_PROCESSES = 2

# Of a WebSocket: events.websocket.limits has the same.
MAX_FRAME_BYTES = 524288

# Celery warns root at length; on a machine where only root works the person has decided that already.
CELERY_AS_ROOT = "ignore:You're running the worker"


@dataclass(frozen=True)
class Child:
    """One process to keep alive; `restart` False lets it end (the demo's replay)."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    restart: bool = True


def installation(environment: Mapping[str, str], local: Path) -> list[Child]:
    """web, ingest, worker and beat, on the ports and address that `environment` names."""
    bind = environment.get("STREAMGAUGE_BIND", "127.0.0.1")
    spool = {"STREAMGAUGE_SPOOL": environment.get("STREAMGAUGE_SPOOL", "1")}
    return [
        Child("web", web_command(bind, port(environment, "web")), {"STREAMGAUGE_MODE": "web", **spool}),
        Child(
            "ingest",
            ingest_command(bind, port(environment, "ingest")),
            {"STREAMGAUGE_MODE": "ingest", **spool},
        ),
        Child("worker", worker_command(), {"STREAMGAUGE_MODE": "worker", "PYTHONWARNINGS": CELERY_AS_ROOT}),
        Child("beat", beat_command(local / "beat-schedule"), {"STREAMGAUGE_MODE": "worker"}),
    ]


def port(environment: Mapping[str, str], process: str) -> int:
    default = {"web": "8000", "ingest": "8001", "tls": "8443"}[process]
    return int(environment.get(f"STREAMGAUGE_{process.upper()}_PORT", default))


def web_command(bind: str, listen: int) -> tuple[str, ...]:
    return _module(
        "daphne",
        "-b",
        bind,
        "-p",
        str(listen),
        "--access-log",
        "/dev/null",
        "--websocket-max-message-size",
        str(MAX_FRAME_BYTES),
        "config.asgi:application",
    )


def ingest_command(bind: str, listen: int) -> tuple[str, ...]:
    return _module(
        "uvicorn", "config.asgi:application", "--host", bind, "--port", str(listen), "--loop", "uvloop",
        "--http", "httptools", "--ws", "events.websocket.uvicorn_protocol:DrainingWebSocket", "--ws-max-size",
        str(MAX_FRAME_BYTES), "--ws-per-message-deflate", "false", "--no-proxy-headers",
        "--no-access-log", "--log-level", "warning",
    )  # fmt: skip


def worker_command() -> tuple[str, ...]:
    return _celery("worker", "--concurrency", str(WORKER_PROCESSES))


def beat_command(schedule: Path) -> tuple[str, ...]:
    return _celery("beat", "--schedule", str(schedule), "--pidfile=")


def _celery(*arguments: str) -> tuple[str, ...]:
    return _module("celery", "--quiet", "-A", "config", *arguments, "--loglevel", "WARNING")


def replay(ingest: str, key: str) -> Child:
    """The demo's flights; the key goes by the environment, which `ps` does not show."""
    command = (sys.executable, "manage.py", "replay_flights", "--url", ingest)
    return Child("replay", command, {"STREAMGAUGE_KEY": key}, restart=False)


def _module(name: str, *arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-m", name, *arguments)
