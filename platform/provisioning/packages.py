"""Installing Debian packages without starting, or keeping, any service of theirs."""

import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from provisioning.errors import CommandFailed, ProvisioningError
from provisioning.output import Say
from provisioning.shell import run

POLICY = Path("/usr/sbin/policy-rc.d")
CREATE_CLUSTER = Path("/etc/postgresql-common/createcluster.conf")
APT = ("apt-get", "-o", "DPkg::Lock::Timeout=300", "-y", "-q")
NONINTERACTIVE = {"DEBIAN_FRONTEND": "noninteractive"}
# Packages whose service of the same name would start at the next boot, on a port of its own.
SERVICES = frozenset({"redis-server", "caddy"})
FORWARDED = ("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")


def apt_environment() -> dict[str, str]:
    return {**NONINTERACTIVE, **{name: os.environ[name] for name in FORWARDED if name in os.environ}}


def missing_packages(packages: Sequence[str]) -> list[str]:
    """Those of `packages` that dpkg does not have installed."""
    done = subprocess.run(
        ["dpkg-query", "--show", "--showformat", "${binary:Package}\t${db:Status-Status}\n", *packages],
        capture_output=True,
        text=True,
        check=False,
    )
    rows = (line.split("\t") for line in done.stdout.splitlines())
    installed = {row[0].partition(":")[0] for row in rows if row[1] == "installed"}
    return [name for name in packages if name not in installed]


def administrator_prefix() -> tuple[str, ...] | None:
    """What to put before a command that needs root: nothing, `sudo -n`, or None where there is no way."""
    if os.geteuid() == 0:
        return ()
    sudo = shutil.which("sudo")
    if sudo and subprocess.run([sudo, "-n", "true"], capture_output=True, check=False).returncode == 0:
        return (sudo, "-n")
    return None


def require_administrator(remedy: str) -> tuple[str, ...]:
    prefix = administrator_prefix()
    if prefix is None:
        raise ProvisioningError(f"This needs an administrator. Ask one to run:\n  {remedy}\nand try again.")
    return prefix


def install_packages(packages: Sequence[str], say: Say) -> None:
    """Install what is missing; services that come with it are neither started nor left enabled."""
    missing = missing_packages(packages)
    if not missing:
        return
    prefix = require_administrator(
        f"apt-get update && apt-get install --no-install-recommends {' '.join(missing)}"
    )
    say(f"Installing {len(missing)} system packages: {' '.join(missing)}")
    try:
        _apt(prefix, ["update"])
    except CommandFailed as error:
        # A third party's broken source must not keep us from packages that are there.
        say(f"apt-get update reported a problem; going on with the lists at hand.\n{error}")
    with ExitStack() as restored:
        restored.enter_context(_no_service_starts(prefix))
        if any(name.startswith("postgresql-") for name in missing):
            _apt(prefix, ["install", "--no-install-recommends", "postgresql-common"])
            restored.enter_context(_no_main_cluster(prefix))
        _apt(prefix, ["install", "--no-install-recommends", *missing])
    for service in SERVICES.intersection(missing):
        _disable_service(prefix, service)


def _apt(prefix: Sequence[str], arguments: Sequence[str]) -> None:
    environment = apt_environment()
    # sudo drops the environment, so it is passed as words.
    words = [f"{name}={value}" for name, value in environment.items()]
    run([*prefix, "env", *words, *APT, *arguments], environment=environment, timeout=1800)


@contextmanager
def _no_service_starts(prefix: Sequence[str]) -> Iterator[None]:
    """Debian's own switch (invoke-rc.d): 101 forbids starting. An administrator's own policy stays."""
    if POLICY.exists():
        yield
        return
    _write(prefix, POLICY, "#!/bin/sh\nexit 101\n")
    run([*prefix, "chmod", "0755", POLICY])
    try:
        yield
    finally:
        run([*prefix, "rm", "-f", POLICY])


@contextmanager
def _no_main_cluster(prefix: Sequence[str]) -> Iterator[None]:
    """Keep the first PostgreSQL package from making a cluster that nobody asked for."""
    before = CREATE_CLUSTER.read_text()
    _write(prefix, CREATE_CLUSTER, f"{before.rstrip()}\ncreate_main_cluster = false\n")
    try:
        yield
    finally:
        _write(prefix, CREATE_CLUSTER, before)


def _disable_service(prefix: Sequence[str], service: str) -> None:
    if Path("/run/systemd/system").is_dir():
        run([*prefix, "systemctl", "disable", "--now", service])


def _write(prefix: Sequence[str], path: Path, text: str) -> None:
    run([*prefix, "tee", path], stdin=text)
