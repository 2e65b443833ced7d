"""`make up` and `make demo`: servers, tables, first accounts, then the processes until Ctrl-C."""

import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from provisioning import services
from provisioning.environment import DATABASE, REDIS, chosen_by_operator, read_environment
from provisioning.errors import ProvisioningError
from provisioning.output import Say
from provisioning.places import Places, port_is_free
from provisioning.processes import Child, installation, port, replay
from provisioning.readiness import wait_until_ready
from provisioning.shell import run
from provisioning.supervisor import Supervisor
from provisioning.tls import authority, caddy, write_caddyfile

SAMPLE = '{"type": "hello", "value": 1}'


def running_servers(places: Places) -> list[services.Server]:
    """The private servers that already run: not ours to stop."""
    return [each.server for each in services.status(places=places, environment={}) if each.state == "running"]


def stop_what_was_started(places: Places, before: Sequence[services.Server], say: Say) -> None:
    started: list[services.Server] = [each for each in running_servers(places) if each not in before]
    if started:
        services.stop(places=places, say=say, only=tuple(started))


def forget_own_urls(places: Places, environment: dict[str, str]) -> None:
    """Drop what settings read from .local/env, so that a new port is not taken for the operator's old one."""
    for name in (DATABASE, REDIS):
        if chosen_by_operator(name, places.environment_file, environment) is None:
            environment.pop(name, None)


def child_environment(places: Places, environment: Mapping[str, str]) -> dict[str, str]:
    """What the processes see: .local/env, the real environment over it, and both import roots."""
    path = os.pathsep.join([str(places.root), str(places.root / "platform")])
    return {
        **read_environment(places.environment_file),
        **environment,
        "PYTHONPATH": path,
        "PYTHONUNBUFFERED": "1",
    }


def require_free_ports(environment: Mapping[str, str], *, tls: bool) -> None:
    for process in ("web", "ingest", *(["tls"] if tls else [])):
        number = port(environment, process)
        if not port_is_free(number):
            raise ProvisioningError(
                f"Port {number} is taken. Stop what listens there, or set STREAMGAUGE_{process.upper()}_PORT."
            )


@dataclass(frozen=True)
class Accounts:
    """What `first_run` says: who may sign in, and the demo's key; None where it is not known here."""

    username: str
    password: str | None
    ingest_key: str | None


def prepare(*, places: Places, environment: Mapping[str, str], demo: bool) -> Accounts:
    """By a new process: this one read its settings before the servers had an address."""
    command = [sys.executable, "manage.py", "prepare", *(["--demo"] if demo else [])]
    answer = run(command, cwd=places.root, environment=environment)
    said = json.loads(answer.splitlines()[-1])
    key = said["demo"]["ingest_key"] if said["demo"] else None
    return Accounts(said["admin"]["username"], said["admin"]["password"], key)


async def supervise(
    *, places: Places, environment: Mapping[str, str], accounts: Accounts, say: Say, tls: bool = False
) -> None:
    """Run the processes until a signal; once they answer, say where, and start the replay of the demo."""
    children = installation(environment, places.local)
    web, ingest = (f"http://127.0.0.1:{port(environment, process)}" for process in ("web", "ingest"))
    if tls:
        children.append(caddy(write_caddyfile(places=places, environment=environment)))

    async def announce() -> list[Child]:
        await wait_until_ready([f"{web}/health/ready", f"{ingest}/health/ready"])
        if tls:
            secure = f"https://localhost:{port(environment, 'tls')}"
            say(banner(secure, secure, accounts, trust=authority(places)))
        else:
            say(banner(web, ingest, accounts))
        return [replay(ingest, accounts.ingest_key)] if accounts.ingest_key else []

    await Supervisor(root=places.root, environment=environment, say=say).run(children, announce)


def banner(web: str, ingest: str, accounts: Accounts, *, trust: Path | None = None) -> str:
    """`trust`: the authority of a certificate that no browser and no curl knows yet."""
    password = accounts.password or "the password you chose"
    curl = f"curl --cacert {trust}" if trust else "curl"
    authorization = f"Authorization: Bearer {accounts.ingest_key or 'YOUR_KEY'}"
    lines = [
        "",
        "  Streamgauge is up.",
        f"  Open      {web}/",
        f"  Sign in   {accounts.username} / {password}",
        "  Send an event:",
        f"    {curl} {ingest}/api/v1/events -H '{authorization}' \\",
        f"      -H 'Content-Type: application/json' -d '{SAMPLE}'",
        *([f"  Browsers trust it once they have imported {trust}"] if trust else []),
        "  Stop with Ctrl-C.",
        "",
    ]
    return "\n".join(lines)
