"""docs/quarantine.md is executed: its examples through the API, its curl against a real web process."""

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from django.db import connections
from django.test import Client

from config import env
from events.quarantine.rows import STATES
from events.urls import urlpatterns
from provisioning.processes import web_command
from tests.integration.test_events_docs import like, split
from tests.support.databases import server_url, with_database
from tests.support.doors import Door
from tests.support.ingest import Books, Tenant, post
from tests.support.processes import Process, child_environment, free_port

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/quarantine.md").read_text()
EXAMPLES = re.findall(r"```http\n(POST .*?)```\n\n```http\n(HTTP.*?)```", PAGE, re.DOTALL)


@pytest.fixture
def web_server(books: Books, tmp_path: Path) -> Iterator[int]:
    """The port of a real web process on the test database."""
    urls = {
        "STREAMGAUGE_DATABASE_URL": with_database(server_url(), connections["default"].settings_dict["NAME"]),
        "STREAMGAUGE_REDIS_URL": env.redis_url(),
        "STREAMGAUGE_MODE": "web",
    }
    port = free_port()
    command = web_command("127.0.0.1", port)
    process = Process(command, environment=child_environment(urls), log=tmp_path / "web.log")
    process.wait_until_listening(port, seconds=60)
    yield port
    process.stop()


def test_every_example_answers_as_the_page_says(tenant: Tenant, books: Books) -> None:
    assert len(EXAMPLES) == PAGE.count("```http") / 2 >= 2
    client = Client(headers={"authorization": f"Bearer {tenant.another_key('manage')}"})
    for request, response in EXAMPLES:
        target, headers, body = split(request)
        answer = client.post(target.split()[1], body.strip(), content_type=headers["Content-Type"])
        status, expected, document = split(response)
        assert answer.status_code == int(status.split()[1]), request
        assert answer["Content-Type"] == expected["Content-Type"]
        assert like(msgspec.json.decode(document), answer.json()), (request, answer.json())


def test_the_curl_corrects_and_stores_what_was_refused(
    web_server: int, gateway: Door, tenant: Tenant, books: Books
) -> None:
    post(gateway, tenant.key, [{"type": "door.opened", "colour": "red"}, {"type": "other", "colour": "red"}])
    (command,) = re.findall(r"```sh\n(curl.*?)```", PAGE, re.DOTALL)
    done = subprocess.run(
        ["bash", "-c", command.replace("127.0.0.1:8000", f"127.0.0.1:{web_server}")],
        env={**os.environ, "KEY": tenant.another_key("manage")},
        capture_output=True,
        timeout=60,
        check=True,
    )
    assert msgspec.json.decode(done.stdout)["replayed"] == 1, done.stderr
    (event,) = books.events(tenant.id)
    assert (event["type"], event["data"]) == ("door.opened", {"by": "ops"})


def test_the_page_names_every_path_and_every_state() -> None:
    paths = {str(each.pattern) for each in urlpatterns if str(each.pattern).startswith("rejected")}
    named = {re.sub(r"<uuid:(?:rejected_)?(\w+?)(?:_id)?>", r"{\1}", path) for path in paths}
    written = set(re.findall(r"/api/v1/(rejected[\w/{}]*)", PAGE)) | {"rejected/restore"}
    assert named == written
    assert all(f"| `{state}` |" in PAGE for state in STATES)
