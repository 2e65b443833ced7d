"""The containers run what `make up` runs, with variables that something reads."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from provisioning import processes

ROOT = Path(__file__).resolve().parents[2]
COMPOSE = yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text())
SERVICES: dict[str, Any] = COMPOSE["services"]
# Read by compose itself, to put together the two URLs.
COMPOSE_ONLY = {"STREAMGAUGE_DATABASE_PASSWORD", "STREAMGAUGE_REDIS_PASSWORD"}


def test_it_has_the_six_services_and_the_migration() -> None:
    assert set(SERVICES) == {"database", "redis", "migrate", "web", "ingest", "worker", "beat"}


@pytest.mark.parametrize(
    ("service", "command"),
    [
        ("web", processes.web_command("0.0.0.0", 8000)),
        ("ingest", processes.ingest_command("0.0.0.0", 8001)),
        ("worker", processes.worker_command()),
        ("beat", processes.beat_command(Path("/app/.local/beat-schedule"))),
    ],
)
def test_a_container_runs_the_command_of_supervision(service: str, command: tuple[str, ...]) -> None:
    assert SERVICES[service]["command"] == ["python", *command[1:]]


@pytest.mark.parametrize(
    "child", processes.installation({}, Path("/app/.local")), ids=lambda child: child.name
)
def test_a_container_has_the_mode_of_supervision(child: processes.Child) -> None:
    environment = SERVICES[child.name]["environment"]
    assert environment["STREAMGAUGE_MODE"] == child.environment["STREAMGAUGE_MODE"]
    assert environment["STREAMGAUGE_DATABASE_URL"].endswith("@database:5432/streamgauge")


def test_every_variable_that_a_container_gets_is_read_somewhere() -> None:
    named = set(re.findall(r"STREAMGAUGE_[A-Z_]+", (ROOT / "deploy" / "compose.yaml").read_text()))
    assert named - COMPOSE_ONLY <= _variables_read()


def test_the_example_environment_names_only_variables_that_are_read() -> None:
    named = set(re.findall(r"STREAMGAUGE_[A-Z_]+", (ROOT / ".env.example").read_text()))
    assert named <= _variables_read()


def _variables_read() -> set[str]:
    text = "".join(path.read_text() for path in (ROOT / "platform").rglob("*.py"))
    # provisioning.processes puts the ports' names together from the process's name.
    ports = {f"STREAMGAUGE_{name}_PORT" for name in ("WEB", "INGEST", "TLS")}
    return set(re.findall(r"STREAMGAUGE_[A-Z_]+", text)) | ports


def test_redis_keeps_its_data_and_never_evicts() -> None:
    command = SERVICES["redis"]["command"][-1]
    assert "--appendonly yes" in command
    assert "--maxmemory-policy noeviction" in command


def test_images_are_pinned_and_ports_stay_on_this_machine() -> None:
    images = [service["image"] for service in SERVICES.values()]
    assert all(re.search(r":\d", image) for image in images)
    published = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert published
    assert all(port.startswith("127.0.0.1:") for port in published)


def test_every_process_that_others_wait_for_says_how_it_is() -> None:
    assert {name for name, service in SERVICES.items() if "healthcheck" in service} == {
        "database",
        "redis",
        "web",
        "ingest",
    }


def test_the_images_lock_holds_nothing_that_the_main_lock_does_not() -> None:
    pins = re.compile(r"^[a-z0-9._-]+==\S+", re.MULTILINE)
    main = set(pins.findall((ROOT / "requirements.lock").read_text()))
    image = set(pins.findall((ROOT / "deploy" / "requirements.lock").read_text()))
    assert image
    assert image <= main
