"""The private PostgreSQL cluster: made, started and stopped here, and no other ever touched."""

import re
import secrets
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import psycopg
from psycopg import sql

from provisioning import tuning
from provisioning.errors import CommandFailed, ProvisioningError
from provisioning.output import Say
from provisioning.places import Places, choose_port, give, process_in, processes_in
from provisioning.shell import Account, run, server_account

FIRST_PORT = 54400
NAME = "streamgauge"  # of the database and of its owner, who is this private cluster's superuser
START_SECONDS = 120
# After `kill -9` of the postmaster its children need a moment to notice and leave.
ORPHAN_SECONDS = 15
HBA = """# Written by `manage.py provision`. A password always, from this machine only.
local all all scram-sha-256
host all all 127.0.0.1/32 scram-sha-256
"""


@dataclass(frozen=True)
class Cluster:
    """One private cluster; `home` holds its data, port, password, log and socket."""

    places: Places
    postgresql: int
    account: Account

    @property
    def home(self) -> Path:
        return self.places.home("postgres")

    @property
    def data(self) -> Path:
        return self.home / "data"

    @property
    def port(self) -> int | None:
        path = self.home / "port"
        return int(path.read_text()) if path.exists() else None

    @property
    def url(self) -> str:
        """The libpq URL: over the Unix socket; the same port answers on 127.0.0.1."""
        return self._url(NAME)

    def pid(self) -> int | None:
        """The postmaster's pid, if it runs and is ours."""
        path = self.data / "postmaster.pid"
        pid = int(path.read_text().splitlines()[0]) if path.exists() else 0
        return pid if pid and process_in(self.data, pid, "postgres") else None

    def ensure_running(self, say: Say) -> bool:
        """Make what is missing and start it; True when this call started it."""
        self.places.make_home("postgres", self.account)
        if not (self.data / "PG_VERSION").exists():
            self._create(say)
        self._require_same_version()
        started = self.pid() is None
        if started:
            self._start(say)
        else:
            self._reload_if_changed()
        self._ensure_database()
        return started

    def stop(self) -> bool:
        """Stop the server if it runs; True when it did."""
        if self.pid() is None:
            return False
        self._run("pg_ctl", "stop", "-D", self.data, "-m", "fast", "-w", "-t", str(START_SECONDS))
        return True

    def _binary(self, name: str) -> Path:
        return Path(f"/usr/lib/postgresql/{self.postgresql}/bin/{name}")

    def _run(self, program: str, *arguments: str | Path) -> str:
        return run([self._binary(program), *arguments], account=self.account, cwd=self.home)

    def _create(self, say: Say) -> None:
        say(f"Making a private PostgreSQL {self.postgresql} cluster in {self.places.local / 'postgres'}")
        shutil.rmtree(self.data, ignore_errors=True)  # half-made by a run that was cut short
        password = self.home / "password"
        self._write(password, secrets.token_urlsafe(24))
        self._run("initdb", "-D", self.data, "--username", NAME, "--pwfile", password, "--encoding", "UTF8",
                  "--locale", "C.UTF-8", "--data-checksums", "--auth", "scram-sha-256")  # fmt: skip

    def _require_same_version(self) -> None:
        found = (self.data / "PG_VERSION").read_text().strip()
        if found != str(self.postgresql):
            raise ProvisioningError(
                f"{self.data} was made by PostgreSQL {found}, this system has {self.postgresql}. "
                "Upgrade it with pg_upgrade, or remove it with its events: `manage.py provision --destroy`."
            )

    def _start(self, say: Say) -> None:
        self._wait_for_orphans()
        self._remove_stale_files()
        port = choose_port(self.port, FIRST_PORT)
        self._write(self.home / "port", str(port))
        self._configure(port)
        say(f"Starting PostgreSQL on 127.0.0.1:{port}")
        log = self.home / "start.log"
        log.unlink(missing_ok=True)
        try:
            self._run("pg_ctl", "start", "-D", self.data, "-l", log, "-w", "-s", "-t", str(START_SECONDS))
        except CommandFailed as error:
            text = log.read_text(errors="replace") if log.exists() else str(error)
            raise ProvisioningError(f"PostgreSQL does not start; see {self.home}/log.\n{text}") from error

    def _wait_for_orphans(self) -> None:
        """Children of a server that was killed hold its port and shared memory until they notice."""
        deadline = time.monotonic() + ORPHAN_SECONDS
        while orphans := processes_in(self.data, "postgres"):
            if time.monotonic() > deadline:
                raise ProvisioningError(f"A dead PostgreSQL left processes behind. End them: kill {orphans}")
            time.sleep(0.1)

    def _remove_stale_files(self) -> None:
        """Left by a crash, they name a pid that is a stranger's by now, or a zombie nobody reaped."""
        (self.data / "postmaster.pid").unlink(missing_ok=True)
        for path in self.places.socket_directory(self.home, self.account).glob(".s.PGSQL.*"):
            path.unlink()

    def _configuration(self, port: int) -> str:
        directory = self.places.socket_directory(self.home, self.account)
        return tuning.render(
            tuning.settings(port=port, socket_directory=directory, memory=tuning.memory_mib())
        )

    def _configure(self, port: int) -> None:
        self._write(self.data / "postgresql.conf", self._configuration(port))
        self._write(self.data / "pg_hba.conf", HBA)
        log = self.home / "log"
        log.mkdir(exist_ok=True)
        give(log, self.account)

    def _reload_if_changed(self) -> None:
        port = self.port
        if port and (self.data / "postgresql.conf").read_text() != self._configuration(port):
            self._configure(port)
            self._run("pg_ctl", "reload", "-D", self.data, "-s")

    def _write(self, path: Path, text: str) -> None:
        path.touch(mode=0o600)
        give(path, self.account, 0o600)
        path.write_text(text)

    def _url(self, database: str) -> str:
        directory = self.places.socket_directory(self.home, self.account)
        password = (self.home / "password").read_text()
        return f"postgres://{NAME}:{password}@{quote(str(directory), safe='')}:{self.port}/{database}"

    def _ensure_database(self) -> None:
        with psycopg.connect(self._url("postgres"), autocommit=True, connect_timeout=10) as connection:
            found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [NAME]).fetchone()
            if found is None:
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(NAME)))
        with psycopg.connect(self.url, autocommit=True, connect_timeout=10) as connection:
            connection.execute("CREATE EXTENSION IF NOT EXISTS timescaledb")


def private_cluster(places: Places, postgresql: int) -> Cluster:
    return Cluster(places, postgresql, server_account("postgres"))


def made_version(places: Places) -> int | None:
    """The major version of the cluster under .local/, None when there is none."""
    path = places.home("postgres") / "data" / "PG_VERSION"
    if not path.exists():
        return None
    match = re.match(r"\d+", path.read_text())
    return int(match.group()) if match else None
