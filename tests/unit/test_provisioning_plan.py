"""What a machine needs is decided from /etc/os-release alone."""

import pytest

from provisioning.errors import ProvisioningError
from provisioning.plan import choose_plan, parse_os_release
from provisioning.timescaledb import parse_version

DEBIAN_12 = 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nVERSION_ID="12"\nID=debian\n# a comment\n\n'


def test_debian_12_builds_timescaledb_from_the_source_package_of_trixie() -> None:
    plan = choose_plan(parse_os_release(DEBIAN_12))
    assert plan.postgresql == 15
    assert plan.postgresql_packages == ("postgresql-15",)
    assert plan.timescaledb_build is not None
    assert (plan.timescaledb_build.package, plan.timescaledb_build.suite) == ("timescaledb", "trixie")
    assert "postgresql-server-dev-15" in plan.timescaledb_build.build_packages


@pytest.mark.parametrize(("system", "version", "postgresql"), [("debian", "13", 17), ("ubuntu", "26.04", 18)])
def test_newer_systems_install_the_packaged_timescaledb(system: str, version: str, postgresql: int) -> None:
    plan = choose_plan({"ID": system, "VERSION_ID": version})
    assert plan.postgresql == postgresql
    assert plan.postgresql_packages == (f"postgresql-{postgresql}", f"postgresql-{postgresql}-timescaledb")
    assert plan.redis_packages == ("redis-server",)
    assert plan.timescaledb_build is None


@pytest.mark.parametrize(
    "fields", [{}, {"ID": "fedora", "VERSION_ID": "43"}, {"ID": "debian", "VERSION_ID": "11"}, {"ID": "arch"}]
)
def test_any_other_system_is_told_the_two_ways_out(fields: dict[str, str]) -> None:
    with pytest.raises(ProvisioningError) as caught:
        choose_plan(fields)
    message = str(caught.value)
    for word in ("STREAMGAUGE_DATABASE_URL", "STREAMGAUGE_REDIS_URL", "deploy/compose.yaml"):
        assert word in message


def test_os_release_values_lose_their_quotes() -> None:
    assert parse_os_release("NAME='A B'\nID=\"debian\"\nVERSION_ID=12\nEMPTY=\n") == {
        "NAME": "A B",
        "ID": "debian",
        "VERSION_ID": "12",
        "EMPTY": "",
    }


@pytest.mark.parametrize(("text", "version"), [("2.19.3+dfsg-1+deb13u1", (2, 19, 3)), ("2.20.0", (2, 20, 0))])
def test_a_debian_version_gives_the_upstream_one(text: str, version: tuple[int, ...]) -> None:
    assert parse_version(text) == version


def test_a_version_without_numbers_is_refused() -> None:
    with pytest.raises(ProvisioningError, match="no version"):
        parse_version("unknown")
