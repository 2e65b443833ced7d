"""The private Redis: hints only, so losing it loses nothing; kept on disk all the same."""

import os
import secrets
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import redis as client
from redis.backoff import NoBackoff
from redis.retry import Retry

from provisioning import tuning
from provisioning.errors import ProvisioningError
from provisioning.output import Say
from provisioning.places import Places, choose_port, give, process_in
from provisioning.shell import Account, run, server_account

FIRST_PORT = 56400
START_SECONDS = 30
PROGRAM = "/usr/bin/redis-server"


@dataclass(frozen=True)
class Redis:
    """One private instance; `home` holds its configuration, port, password, log and data."""

    places: Places
    account: Account

    @property
    def home(self) -> Path:
        return self.places.home("redis")

    @property
    def port(self) -> int | None:
        path = self.home / "port"
        return int(path.read_text()) if path.exists() else None

    @property
    def url(self) -> str:
        return f"redis://:{(self.home / 'password').read_text()}@127.0.0.1:{self.port}/0"

    def pid(self) -> int | None:
        """The server's pid, if it runs and is ours."""
        path = self.home / "redis.pid"
        recorded = path.read_text().strip() if path.exists() else ""
        return int(recorded) if recorded and process_in(self.home, int(recorded), "redis-server") else None

    def ensure_running(self, say: Say) -> bool:
        """Make what is missing and start it; True when this call started it."""
        self.places.make_home("redis", self.account)
        if not (self.home / "password").exists():
            self._write(self.home / "password", secrets.token_urlsafe(24))
        if self.pid() is not None:
            return False
        self._start(say)
        return True

    def stop(self) -> bool:
        """Stop the server if it runs; True when it did."""
        pid = self.pid()
        if pid is None:
            return False
        os.kill(pid, signal.SIGTERM)
        _wait_until(lambda: self.pid() is None, f"Redis (pid {pid}) does not stop.")
        return True

    def _start(self, say: Say) -> None:
        port = choose_port(self.port, FIRST_PORT)
        self._write(self.home / "port", str(port))
        self._write(self.home / "redis.conf", self._configuration(port))
        (self.home / "redis.pid").unlink(missing_ok=True)
        say(f"Starting Redis on 127.0.0.1:{port}")
        run([PROGRAM, self.home / "redis.conf"], account=self.account, cwd=self.home)
        _wait_until(self._answers, f"Redis does not start; see {self.home}/redis.log.")

    def _answers(self) -> bool:
        once = Retry(NoBackoff(), 0)
        with client.Redis.from_url(self.url, retry=once, socket_timeout=1) as connection:
            try:
                return bool(connection.ping())
            except client.ConnectionError:  # not listening yet, or still loading
                return False

    def _configuration(self, port: int) -> str:
        password = (self.home / "password").read_text()
        limit = max(64, min(tuning.memory_mib() // 8, 512))
        # Never evict: a refused hint is counted and shown, an evicted lock is seen by nobody.
        lines = [
            "# Written by `manage.py provision`, again on every start.",
            f"port {port}", "bind 127.0.0.1", "protected-mode yes", f"requirepass {password}",
            "daemonize yes", f'dir "{self.home}"', f'pidfile "{self.home}/redis.pid"',
            f'logfile "{self.home}/redis.log"',
            "appendonly yes", "appendfsync everysec", 'save ""',
            f"maxmemory {limit}mb", "maxmemory-policy noeviction", "tcp-keepalive 60",
        ]  # fmt: skip
        return "\n".join(lines) + "\n"

    def _write(self, path: Path, text: str) -> None:
        path.touch(mode=0o600)
        give(path, self.account, 0o600)
        path.write_text(text)


def private_redis(places: Places) -> Redis:
    return Redis(places, server_account("redis"))


def _wait_until(condition: Callable[[], bool], failure: str) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise ProvisioningError(failure)
        time.sleep(0.05)
