"""`provision` on this machine: real private servers, in a checkout of their own."""

import json
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from provisioning import services
from provisioning.cluster import Cluster, private_cluster
from provisioning.environment import DATABASE, REDIS, read_environment
from provisioning.errors import ProvisioningError
from provisioning.places import SYSTEM_HOME, Places, processes_in
from provisioning.plan import choose_plan, parse_os_release
from provisioning.redis import Redis, private_redis
from provisioning.services import OS_RELEASE

pytestmark = pytest.mark.timeout(240)  # the first run of all on a machine builds TimescaleDB


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Places]:
    places = Places(tmp_path_factory.mktemp("checkout"))
    try:
        provision(places)
        yield places
    finally:
        services.destroy(places=places, say=silent)


def provision(places: Places, **environment: str) -> list[services.Server]:
    return services.provision(places=places, environment=environment, say=silent)


def silent(line: str) -> None:
    """Takes a line and lets it go."""


def cluster(places: Places) -> Cluster:
    return private_cluster(places, choose_plan(parse_os_release(OS_RELEASE.read_text())).postgresql)


def broker(places: Places) -> Redis:
    return private_redis(places)


def states(places: Places) -> list[str]:
    return [each.state for each in services.status(places=places, environment={})]


def test_the_database_is_durable_private_and_has_timescaledb(places: Places) -> None:
    url = read_environment(places.environment_file)[DATABASE]
    assert places.environment_file.stat().st_mode & 0o777 == 0o600
    with psycopg.connect(url) as connection:
        row = connection.execute(
            "SELECT current_setting('data_checksums'), current_setting('synchronous_commit'),"
            " current_setting('fsync'), current_setting('listen_addresses'),"
            " current_setting('server_encoding'),"
            " (SELECT datcollate FROM pg_database WHERE datname = current_database()),"
            " (SELECT count(*) FROM pg_extension WHERE extname = 'timescaledb')"
        ).fetchone()
    assert row == ("on", "on", "on", "127.0.0.1", "UTF8", "C.UTF-8", 1)


def test_a_test_database_can_be_made_with_the_extension(places: Places) -> None:
    url = read_environment(places.environment_file)[DATABASE]
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE DATABASE test_of_provision")
    with psycopg.connect(url, dbname="test_of_provision", autocommit=True) as connection:
        connection.execute("CREATE EXTENSION IF NOT EXISTS timescaledb")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("DROP DATABASE test_of_provision WITH (FORCE)")


def test_nobody_gets_in_without_the_password(places: Places) -> None:
    port = cluster(places).port
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(f"postgres://streamgauge:wrong@127.0.0.1:{port}/streamgauge")
    stranger = redis.Redis(port=broker(places).port or 0, retry=Retry(NoBackoff(), 0))
    with stranger, pytest.raises(redis.AuthenticationError):
        stranger.ping()


def test_redis_keeps_its_data_and_never_evicts(places: Places) -> None:
    with redis.Redis.from_url(
        read_environment(places.environment_file)[REDIS], decode_responses=True
    ) as connection:
        settings = connection.config_get(
            "appendonly", "appendfsync", "maxmemory-policy", "bind", "protected-mode"
        )
        assert connection.config_get("maxmemory")["maxmemory"] != "0"
    assert settings == {
        "appendonly": "yes",
        "appendfsync": "everysec",
        "maxmemory-policy": "noeviction",
        "bind": "127.0.0.1",
        "protected-mode": "yes",
    }


def test_a_second_run_finds_both_and_starts_nothing(places: Places) -> None:
    before = services.status(places=places, environment={})
    assert provision(places) == []
    assert services.status(places=places, environment={}) == before


def test_it_starts_again_after_both_were_killed(places: Places) -> None:
    before = read_environment(places.environment_file)
    for pid in (cluster(places).pid(), broker(places).pid()):
        assert pid
        os.kill(pid, signal.SIGKILL)
    assert provision(places) == ["postgres", "redis"]
    assert read_environment(places.environment_file) == before


def test_a_pid_file_that_names_a_stranger_stops_nobody_and_hinders_no_start(
    places: Places,
) -> None:
    services.stop(places=places, say=silent)
    stranger = str(os.getpid())
    (cluster(places).data / "postmaster.pid").write_text(f"{stranger}\n{cluster(places).data}\n0\n0\n\n\n\n")
    (broker(places).home / "redis.pid").write_text(stranger)
    assert states(places) == ["stopped", "stopped"]
    services.stop(places=places, say=silent)
    assert provision(places) == ["postgres", "redis"]


def test_a_taken_port_moves_the_server_and_the_url(places: Places) -> None:
    services.stop(places=places, say=silent)
    port = broker(places).port
    assert port
    with socket.create_server(("127.0.0.1", port)):
        provision(places)
    assert broker(places).port != port
    assert f":{broker(places).port}/" in read_environment(places.environment_file)[REDIS]


def test_servers_that_the_operator_names_are_checked_and_nothing_is_started(
    places: Places, tmp_path: Path
) -> None:
    known = read_environment(places.environment_file)
    elsewhere = Places(tmp_path)
    assert provision(elsewhere, **known) == []
    assert not elsewhere.environment_file.exists()
    assert [each.state for each in services.status(places=elsewhere, environment=known)] == [
        "external",
        "external",
    ]
    assert sorted(path.name for path in elsewhere.local.iterdir()) == ["provision.lock"]


@pytest.mark.parametrize(
    ("name", "url"),
    [
        (DATABASE, "postgres://nobody@127.0.0.1:1/nothing"),
        (REDIS, "redis://127.0.0.1:1/0"),
        (REDIS, "nonsense"),
    ],
)
def test_a_named_server_that_does_not_answer_is_an_error_that_names_the_variable(
    places: Places, tmp_path: Path, name: str, url: str
) -> None:
    known = {**read_environment(places.environment_file), name: url}
    with pytest.raises(ProvisioningError, match=f"{name} does not answer"):
        provision(Places(tmp_path), **known)


def test_status_can_be_read_by_programs(places: Places) -> None:
    found = [each.as_json() for each in services.status(places=places, environment={})]
    assert [each["server"] for each in json.loads(json.dumps(found))] == ["postgres", "redis"]
    assert all(each["state"] == "running" and each["pid"] and each["port"] for each in found)


def test_destroy_leaves_nothing_behind(tmp_path: Path) -> None:
    places = Places(tmp_path / "short-lived")
    places.root.mkdir()
    provision(places)
    pids = [each.pid for each in services.status(places=places, environment={})]
    services.destroy(places=places, say=silent)
    assert states(places) == ["absent", "absent"]
    assert all(pids)
    assert processes_in(places.home("postgres") / "data", "postgres") == []
    assert processes_in(places.home("redis"), "redis-server") == []
    assert not (SYSTEM_HOME / places.digest).exists()
    assert sorted(path.name for path in places.local.iterdir()) == ["env", "provision.lock"]
    assert places.environment_file.read_text() == ""
