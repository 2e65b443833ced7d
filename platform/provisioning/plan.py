"""Which packages a machine needs, chosen from /etc/os-release alone (pure)."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass

from provisioning.errors import ProvisioningError

REMEDY = (
    "Set STREAMGAUGE_DATABASE_URL and STREAMGAUGE_REDIS_URL to servers that exist (PostgreSQL with "
    "TimescaleDB 2.18.1 or newer, and Redis), or use deploy/compose.yaml."
)
# debian-archive-keyring signs the source package; the rest compiles it.
BUILD_PACKAGES = (
    "dpkg-dev",
    "gcc",
    "g++",
    "make",
    "libc6-dev",
    "cmake",
    "libssl-dev",
    "libkrb5-dev",
    "xz-utils",
    "patch",
    "ca-certificates",
    "debian-archive-keyring",
)


@dataclass(frozen=True)
class SourceBuild:
    """A Debian source package to compile against the machine's own PostgreSQL."""

    package: str
    suite: str
    build_packages: tuple[str, ...]


@dataclass(frozen=True)
class Plan:
    """What one kind of machine needs: packages, and the TimescaleDB build where none is packaged."""

    system: str
    postgresql: int
    postgresql_packages: tuple[str, ...]
    redis_packages: tuple[str, ...]
    timescaledb_build: SourceBuild | None


def _debian_12() -> Plan:
    build = SourceBuild("timescaledb", "trixie", ("postgresql-server-dev-15", *BUILD_PACKAGES))
    return Plan("Debian 12", 15, ("postgresql-15",), ("redis-server",), build)


def _packaged(system: str, postgresql: int) -> Plan:
    packages = (f"postgresql-{postgresql}", f"postgresql-{postgresql}-timescaledb")
    return Plan(system, postgresql, packages, ("redis-server",), None)


PLANS: Mapping[tuple[str, str], Plan] = {
    ("debian", "12"): _debian_12(),
    ("debian", "13"): _packaged("Debian 13", 17),
    ("ubuntu", "26.04"): _packaged("Ubuntu 26.04", 18),
}


def parse_os_release(text: str) -> dict[str, str]:
    """The fields of an os-release file (freedesktop.org, os-release(5)); quotes removed."""
    fields: dict[str, str] = {}
    for line in text.splitlines():
        name, separator, value = line.strip().partition("=")
        if separator and not name.startswith("#"):
            fields[name] = "".join(shlex.split(value))
    return fields


def choose_plan(os_release: Mapping[str, str]) -> Plan:
    """The plan of the machine that `os_release` describes; ProvisioningError names the way out otherwise."""
    plan = PLANS.get((os_release.get("ID", ""), os_release.get("VERSION_ID", "")))
    if plan is None:
        name = os_release.get("PRETTY_NAME", "This system")
        known = ", ".join(each.system for each in PLANS.values())
        raise ProvisioningError(f"{name} is not one that `provision` can set up ({known}). {REMEDY}")
    return plan
