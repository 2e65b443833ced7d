"""Typed readers of the environment; each failure names the variable and the remedy."""

import os
import secrets
import socket
import stat
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import environ
from django.core.exceptions import ImproperlyConfigured

ROOT = Path(__file__).resolve().parents[2]
LOCAL = ROOT / ".local"
LOCAL_ENV = LOCAL / "env"
MODES = ("web", "ingest", "worker")
LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")

# A frozen process must not hold its locks for ever: exactness.md, "Locks that die with their owner".
IDLE_IN_TRANSACTION_SECONDS = {"web": 20, "ingest": 5, "worker": 20}
LOCK_TIMEOUT = "2s"
TCP_KEEPALIVE = {
    socket.TCP_KEEPIDLE: 5,
    socket.TCP_KEEPINTVL: 5,
    socket.TCP_KEEPCNT: 3,
    socket.TCP_USER_TIMEOUT: 15_000,
}

environ.Env.read_env(LOCAL_ENV, overwrite=False)


def text(name: str, default: str | None = None) -> str:
    value = os.environ.get(name, default)
    if value is None or value == "":
        raise ImproperlyConfigured(f"Set {name} in the environment, or run `manage.py provision`.")
    return value


def integer(name: str, default: int) -> int:
    raw = os.environ.get(name, str(default))
    try:
        return int(raw)
    except ValueError:
        raise ImproperlyConfigured(f"{name} must be a whole number, not {raw!r}.") from None


def boolean(name: str, default: bool) -> bool:
    raw = os.environ.get(name, "1" if default else "0").strip().lower()
    if raw in {"1", "true", "yes", "on"}:
        return True
    if raw in {"0", "false", "no", "off", ""}:
        return False
    raise ImproperlyConfigured(f"{name} must be 1 or 0, not {raw!r}.")


def words(name: str, default: str = "") -> list[str]:
    return [word.strip() for word in os.environ.get(name, default).split(",") if word.strip()]


def networks(name: str) -> list[IPv4Network | IPv6Network]:
    try:
        return [ip_network(word) for word in words(name)]
    except ValueError as error:
        raise ImproperlyConfigured(
            f"{name} must be addresses or networks such as 10.0.0.0/8, comma-separated: {error}."
        ) from None


def choice(name: str, choices: tuple[str, ...], default: str) -> str:
    value = os.environ.get(name, default)
    if value not in choices:
        raise ImproperlyConfigured(f"{name} must be one of {', '.join(choices)}, not {value!r}.")
    return value


def mode() -> str:
    return choice("STREAMGAUGE_MODE", MODES, "web")


def connection_options(process_mode: str) -> dict[str, Any]:
    """libpq options every connection carries, so that locks die with their owner."""
    idle = IDLE_IN_TRANSACTION_SECONDS[process_mode]
    return {
        "connect_timeout": 2,
        "keepalives_idle": 5,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        "tcp_user_timeout": 15_000,
        "application_name": f"streamgauge-{process_mode}",
        "options": f"-c idle_in_transaction_session_timeout={idle}s -c lock_timeout={LOCK_TIMEOUT}",
    }


def database(process_mode: str) -> dict[str, Any]:
    """Django's DATABASES entry from STREAMGAUGE_DATABASE_URL, with a checked pool."""
    url = os.environ.get("STREAMGAUGE_DATABASE_URL", "postgres://streamgauge@127.0.0.1:1/not-provisioned")
    try:
        parsed = dict(environ.Env.db_url_config(url))
    except (ValueError, environ.ImproperlyConfigured) as error:
        raise ImproperlyConfigured(
            f"STREAMGAUGE_DATABASE_URL is not a PostgreSQL URL (postgres://user@host:port/name): {error}"
        ) from error
    # A Unix socket's folder is a percent-encoded host in a libpq URL.
    parsed["HOST"] = unquote(parsed.get("HOST") or "")
    options = {**connection_options(process_mode), **parsed.get("OPTIONS", {})}
    options["pool"] = {"min_size": 0, "max_size": integer("STREAMGAUGE_POOL_SIZE", 8), "timeout": 2}
    return {
        **parsed,
        "ENGINE": "django.db.backends.postgresql",
        "CONN_MAX_AGE": 0,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": options,
    }


def redis_url() -> str:
    return os.environ.get("STREAMGAUGE_REDIS_URL", "redis://127.0.0.1:1/0")


def spool_dir(process_mode: str) -> Path | None:
    """Where accepted requests wait while the database is away; None when they are refused instead.

    Only for the processes that have doors: an import in a worker waits for the database by itself.
    """
    if process_mode == "worker" or not boolean("STREAMGAUGE_SPOOL", False):
        return None
    return Path(os.environ.get("STREAMGAUGE_SPOOL_DIR") or LOCAL / "spool")


def secret_key() -> str:
    """The secret of this installation; made once and kept under .local/ (mode 0600) when none is set."""
    if value := os.environ.get("STREAMGAUGE_SECRET_KEY"):
        return value
    path = LOCAL / "secret_key"
    if not path.exists():
        LOCAL.mkdir(exist_ok=True)
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, stat.S_IRUSR | stat.S_IWUSR)
        except FileExistsError:
            return path.read_text()
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(50))
    return path.read_text()
