"""`make up TLS=1`: https and wss on one port, with certificates of a local authority."""

import json
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from websockets.sync.client import connect

from provisioning.places import Places
from provisioning.tls import authority, caddy, write_caddyfile
from tests.support.databases import scratch_database
from tests.support.processes import Process, free_port
from tests.support.stack import Seeded, running_stack
from tests.support.waiting import wait_for


@dataclass
class Secured:
    """The product behind Caddy."""

    address: str
    trust: ssl.SSLContext
    project: Seeded


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    folder: Path = tmp_path_factory.mktemp("tls")
    places = Places(folder)
    extra = {"STREAMGAUGE_BEHIND_TLS": "1"}
    with scratch_database("tls") as database, running_stack(database, folder, extra=extra) as stack:
        web, ingest, port = stack.start_web(), stack.start_ingest(), free_port()
        ports = {"WEB": web.port, "INGEST": ingest.port, "TLS": port}
        environment = {f"STREAMGAUGE_{name}_PORT": str(number) for name, number in ports.items()}
        child = caddy(write_caddyfile(places=places, environment=environment))
        process = Process(
            child.command, environment=stack.environment("web", **child.environment), log=folder / "caddy.log"
        )
        process.wait_until_listening(port)
        wait_for(authority(places).exists, seconds=20, what="the authority's certificate")
        trust = ssl.create_default_context(cafile=str(authority(places)))
        yield Secured(f"localhost:{port}", trust, stack.seed("secure"))
        process.stop()


def test_events_go_in_by_https(secured: Secured) -> None:
    answer = httpx.post(
        f"https://{secured.address}/api/v1/events",
        json={"type": "door.opened"},
        headers={"Authorization": f"Bearer {secured.project.ingest_key}"},
        verify=secured.trust,
        timeout=10,
    )
    assert (answer.status_code, answer.json()["accepted"]) == (200, 1)


def test_the_sign_in_page_has_cookies_for_https_alone(secured: Secured) -> None:
    with httpx.Client(verify=secured.trust, timeout=10, follow_redirects=True) as client:
        page = client.get(f"https://{secured.address}/")
        assert page.status_code == 200
        assert all(cookie.secure for cookie in client.cookies.jar)
        assert len(client.cookies.jar) > 0
        form = {"csrfmiddlewaretoken": client.cookies["csrftoken"], "login": "ada", "password": "wrong"}
        origin = f"https://{secured.address}"
        tried = client.post(str(page.url), data=form, headers={"Origin": origin, "Referer": origin})
    assert tried.status_code == 200, "a form sent by https must pass the check of its origin"


def test_the_live_page_listens_by_wss(secured: Secured) -> None:
    address = f"wss://{secured.address}/ws/v1/live"
    with connect(address, proxy=None, ssl=secured.trust, open_timeout=10) as socket:
        socket.send(json.dumps({"auth": secured.project.read_key}))
        assert json.loads(socket.recv(timeout=10))["kind"] == "ready"


def test_the_ingest_socket_takes_events_by_wss(secured: Secured) -> None:
    address = f"wss://{secured.address}/ws/v1/ingest"
    key = {"Authorization": f"Bearer {secured.project.ingest_key}"}
    with connect(address, proxy=None, ssl=secured.trust, open_timeout=10, additional_headers=key) as socket:
        assert "ready" in json.loads(socket.recv(timeout=10))
        socket.send('1\n{"type": "door.opened"}')
        assert json.loads(socket.recv(timeout=10))["accepted"] == 1


def test_a_client_that_does_not_know_the_authority_is_told_so(secured: Secured) -> None:
    with pytest.raises(httpx.ConnectError, match="certificate"):
        httpx.get(f"https://{secured.address}/health/live", timeout=10)
