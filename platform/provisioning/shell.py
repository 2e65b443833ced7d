"""Running other programs, as another account where a server refuses to run as root."""

import os
import pwd
import shlex
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from provisioning.errors import CommandFailed, ProvisioningError

LAST_LINES = 15
# A server must not inherit PGHOST, PGPORT or a foreign locale from the shell that started it.
CLEAN_ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8", "TZ": "UTC"}


@dataclass(frozen=True)
class Account:
    """The system account a server runs as."""

    name: str
    uid: int
    gid: int

    @property
    def is_current(self) -> bool:
        return self.uid == os.geteuid()


def current_account() -> Account:
    entry = pwd.getpwuid(os.geteuid())
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)


def server_account(name: str) -> Account:
    """`name` when we are root (servers must not be), else whoever runs this."""
    if os.geteuid() != 0:
        return current_account()
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        raise ProvisioningError(
            f"The system account {name!r} is missing. Its package makes it: reinstall that package."
        ) from None
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)


def run(
    command: Sequence[str | Path],
    *,
    account: Account | None = None,
    cwd: Path | None = None,
    environment: Mapping[str, str] | None = None,
    stdin: str | None = None,
    timeout: float = 900,
) -> str:
    """Run a program to its end and return what it printed; raise CommandFailed with its last lines."""
    words = [str(word) for word in command]
    other = account is not None and not account.is_current
    try:
        done = subprocess.run(
            words,
            cwd=cwd,
            env={**CLEAN_ENVIRONMENT, **(environment or {})},
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=timeout,
            check=False,
            user=account.uid if other and account else None,
            group=account.gid if other and account else None,
            extra_groups=os.getgrouplist(account.name, account.gid) if other and account else None,
        )
    except FileNotFoundError as error:
        raise CommandFailed(f"{words[0]} is not installed ({error.strerror}).") from error
    except subprocess.TimeoutExpired as error:
        raise CommandFailed(f"`{shlex.join(words)}` did not end within {timeout:.0f} s.") from error
    if done.returncode != 0:
        tail = "\n".join(done.stdout.strip().splitlines()[-LAST_LINES:])
        raise CommandFailed(f"`{shlex.join(words)}` exited with {done.returncode}:\n{tail}")
    return done.stdout
