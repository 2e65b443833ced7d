"""The spool as the settings want it: none, or this process's slot of the configured folder."""

import re
import sqlite3
from pathlib import Path

import structlog
from django.conf import settings
from django.db import connections

from events.spool import Spool, Waiting, all_waiting, open_own

log = structlog.get_logger(__name__)


def configured_spool(using: str) -> Spool | None:
    """None when it is off. A folder that cannot be used costs the spool and not the service: 503 as without one."""
    folder: Path | None = settings.SPOOL_DIR
    if folder is None:
        return None
    try:
        return open_own(folder, _name(using), max_bytes=settings.SPOOL_MAX_BYTES)
    except (OSError, sqlite3.Error):
        log.exception("spool_unusable", folder=str(folder))
        return None


def configured_waiting() -> Waiting | None:
    """What this machine's processes have spooled; None when the spool is off."""
    folder: Path | None = settings.SPOOL_DIR
    return None if folder is None else all_waiting(folder)


def _name(using: str) -> str:
    """A database by its name, which a failover keeps: a folder may serve several installations of one machine."""
    return re.sub(r"[^A-Za-z0-9_]", "_", str(connections[using].settings_dict["NAME"]))
