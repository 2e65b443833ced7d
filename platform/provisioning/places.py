"""Where the private servers keep their files: .local/, or /var/lib where their account cannot reach it."""

import hashlib
import os
import shutil
import socket
from dataclasses import dataclass
from pathlib import Path

from provisioning.errors import ProvisioningError
from provisioning.shell import Account

SYSTEM_HOME = Path("/var/lib/streamgauge")
SYSTEM_RUN = Path("/run/streamgauge")
# sockaddr_un holds 107 bytes; the longest name PostgreSQL puts into the directory is ".s.PGSQL.65535.lock".
PORTS = 500
LONGEST_SOCKET_DIRECTORY = 107 - len("/.s.PGSQL.65535.lock")


@dataclass(frozen=True)
class Places:
    """The folders of one checkout."""

    root: Path

    @property
    def local(self) -> Path:
        return self.root / ".local"

    @property
    def environment_file(self) -> Path:
        return self.local / "env"

    @property
    def lock_file(self) -> Path:
        return self.local / "provision.lock"

    @property
    def digest(self) -> str:
        return hashlib.sha256(str(self.root).encode()).hexdigest()[:12]

    def home(self, server: str) -> Path:
        """The real folder of a server that was provisioned, or where one would go; links resolved."""
        return (self.local / server).resolve()

    def make_home(self, server: str, account: Account) -> Path:
        """The server's own folder (mode 0700), outside the checkout when `account` cannot walk into it."""
        self.local.mkdir(exist_ok=True)
        link = self.local / server
        if not link.is_symlink() and not link.exists() and not can_reach(self.local, account):
            link.symlink_to(SYSTEM_HOME / self.digest / server)
        home = self.home(server)
        home.mkdir(parents=True, exist_ok=True)
        give(home, account)
        return home

    def remove_home(self, server: str) -> None:
        """Delete the server's folder, the link to it, and what was made outside the checkout for it."""
        link = self.local / server
        shutil.rmtree(self.home(server), ignore_errors=True)
        if link.is_symlink():
            link.unlink()
        for outside in (SYSTEM_HOME / self.digest, self._short_socket_directory()):
            if outside.is_dir() and not any(outside.iterdir()):
                outside.rmdir()

    def socket_directory(self, home: Path, account: Account) -> Path:
        """A folder (mode 0700) for the server's socket whose path is short enough for one."""
        directory = home / "run"
        if len(os.fsencode(directory)) > LONGEST_SOCKET_DIRECTORY:
            directory = self._short_socket_directory()
        directory.mkdir(parents=True, exist_ok=True)
        give(directory, account)
        return directory

    def _short_socket_directory(self) -> Path:
        uid = os.geteuid()
        base = SYSTEM_RUN if uid == 0 else Path(f"/tmp/streamgauge-{uid}")  # noqa: S108
        return base / self.digest


def give(path: Path, account: Account, mode: int = 0o700) -> None:
    """Hand a file or folder to the account that the server runs as."""
    if os.geteuid() == 0:
        os.chown(path, account.uid, account.gid)
    path.chmod(mode)


def can_reach(folder: Path, account: Account) -> bool:
    """Whether `account` may walk into `folder`: every folder above lets it pass."""
    if account.is_current:
        return True
    return all(_may_enter(each, account) for each in (folder, *folder.parents))


def _may_enter(folder: Path, account: Account) -> bool:
    status = folder.stat()
    if status.st_uid == account.uid:
        return bool(status.st_mode & 0o100)
    groups = os.getgrouplist(account.name, account.gid)
    return bool(status.st_mode & (0o010 if status.st_gid in groups else 0o001))


def choose_port(remembered: int | None, first: int) -> int:
    """The remembered port when nothing else took it, else the first free one from `first` up."""
    candidates: list[int] = [*([remembered] if remembered else []), *range(first, first + PORTS)]
    for port in candidates:
        if port_is_free(port):
            return port
    raise ProvisioningError(f"No port from {first} to {first + PORTS} is free on 127.0.0.1.")


def port_is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def process_in(folder: Path, pid: int, program: str) -> bool:
    """Whether `pid` is `program` working in `folder`: a recorded pid may have passed to a stranger."""
    try:
        cwd = Path(os.readlink(f"/proc/{pid}/cwd"))
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, PermissionError, ProcessLookupError):
        return False
    return cwd == folder and program.encode() in command.split(b"\0")[0]


def processes_in(folder: Path, program: str) -> list[int]:
    """The pids of every `program` working in `folder`: a dead server's children, for one."""
    pids = (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdecimal())
    return [pid for pid in pids if process_in(folder, pid, program)]
