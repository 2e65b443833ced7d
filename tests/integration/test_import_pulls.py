"""Scheduled pulls: fetched when due, imported when changed, refused where they lead inside."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from events.errors import RequestRefused
from events.imports.files import folder
from events.imports.mapping import parse_mapping
from events.imports.models import ImportJob, ImportPull
from events.imports.pulling import create_pull, pull_due
from events.imports.schedules import next_run
from tests.support.imports import event, finish, ndjson
from tests.support.ingest import Books, Tenant, make_tenant

PATH = "/api/v1/import-pulls"


class _Files(BaseHTTPRequestHandler):
    """Serves what the test put into `answers`, and writes down what it was asked."""

    answers: ClassVar[dict[str, tuple[int, dict[str, str], bytes]]] = {}
    asked: ClassVar[list[dict[str, str]]] = []

    def do_GET(self) -> None:
        self.asked.append({name.lower(): value for name, value in self.headers.items()})
        status, headers, body = self.answers[self.path]
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""


@pytest.fixture
def files() -> Iterator[tuple[type[_Files], int]]:
    _Files.answers, _Files.asked = {}, []
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Files)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield _Files, server.server_address[1]
    server.shutdown()
    server.server_close()
    thread.join(10)


@pytest.fixture(autouse=True)
def _import_dir(books: Books, settings: Settings, tmp_path: Path) -> Iterator[None]:
    settings.IMPORT_DIR = tmp_path / "imports"
    settings.OUTBOUND_ALLOWED_HOSTS = ["127.0.0.1"]
    yield
    ImportPull.objects.all().delete()
    ImportJob.objects.all().delete()


def due_pull(tenant: Tenant, port: int, path: str = "/rows.ndjson", **fields: Any) -> ImportPull:
    pull = create_pull(
        project_id=tenant.id,
        name="rows",
        url=f"http://127.0.0.1:{port}{path}",
        cron="0 4 * * *",
        created_by="t",
        **fields,
    )
    return make_due(pull)


def make_due(pull: ImportPull) -> ImportPull:
    ImportPull.objects.filter(pk=pull.pk).update(next_at=timezone.now() - timedelta(seconds=1))
    return pull


def visited(pull: ImportPull) -> ImportPull:
    assert pull_due() == pull.pk
    pull.refresh_from_db()
    return pull


def imported(pull: ImportPull) -> ImportJob:
    assert pull.last_job_id is not None
    return ImportJob.objects.get(pk=pull.last_job_id)


def test_a_file_that_is_due_is_fetched_and_imported(files: Any, tenant: Tenant, books: Books) -> None:
    server, port = files
    server.answers["/rows.ndjson"] = (200, {"ETag": '"one"'}, ndjson(event(n, id=f"r{n}") for n in range(20)))
    pull = visited(due_pull(tenant, port))
    assert (pull.result, pull.etag, pull.error) == ("imported", '"one"', "")
    assert pull.next_at > timezone.now()
    assert pull_due() is None
    job = finish(imported(pull))
    assert (job.name, job.accepted, job.created_by) == ("rows.ndjson", 20, "pull rows")
    assert books.stored(tenant.id) == 20


def test_what_did_not_change_is_not_imported_again(files: Any, tenant: Tenant) -> None:
    server, port = files
    body = ndjson([event(1)])
    modified = "Sat, 31 Jan 2026 12:00:00 GMT"
    server.answers["/rows.ndjson"] = (200, {"ETag": '"one"', "Last-Modified": modified}, body)
    pull = visited(due_pull(tenant, port))
    server.answers["/rows.ndjson"] = (304, {}, b"")
    assert visited(make_due(pull)).result == "unchanged"
    assert (server.asked[1]["if-none-match"], server.asked[1]["if-modified-since"]) == ('"one"', modified)
    server.answers["/rows.ndjson"] = (200, {}, body)
    assert visited(make_due(pull)).result == "unchanged"
    assert ImportJob.objects.count() == 1
    assert len(list(folder().iterdir())) == 1


def test_a_mapping_goes_along(files: Any, tenant: Tenant) -> None:
    server, port = files
    server.answers["/a.csv"] = (200, {}, b"n\n1\n2\n")
    mapping = parse_mapping({"fields": {"type": {"constant": "row"}, "value": {"column": "n"}}})
    pull = visited(due_pull(tenant, port, "/a.csv", mapping=mapping))
    assert finish(imported(pull)).accepted == 2


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ((302, {"Location": "http://169.254.169.254/"}, b""), "redirects to http://169.254.169.254/"),
        ((500, {}, b""), "answered 500"),
        ((200, {}, b""), "empty"),
        ((200, {"Content-Length": "99999999999999"}, b""), "more than"),
    ],
)
def test_an_answer_that_is_no_file_is_written_down(
    answer: tuple[int, dict[str, str], bytes], says: str, files: Any, tenant: Tenant
) -> None:
    server, port = files
    server.answers["/rows.ndjson"] = answer
    pull = visited(due_pull(tenant, port))
    assert pull.result == "failed"
    assert says in pull.error
    assert pull.lease is None
    assert not ImportJob.objects.exists()
    assert list(folder().iterdir()) == []


def test_a_name_that_leads_inside_meanwhile_is_not_fetched(
    files: Any, tenant: Tenant, settings: Settings
) -> None:
    server, port = files
    pull = due_pull(tenant, port)
    settings.OUTBOUND_ALLOWED_HOSTS = []
    assert "not a public address" in visited(pull).error
    assert server.asked == []


def test_a_visit_whose_process_died_is_made_again(files: Any, tenant: Tenant) -> None:
    server, port = files
    server.answers["/rows.ndjson"] = (200, {}, ndjson([event(1)]))
    pull = due_pull(tenant, port)
    past, ahead = timezone.now() - timedelta(seconds=1), timezone.now() + timedelta(hours=1)
    ImportPull.objects.filter(pk=pull.pk).update(
        lease="01a20e36-a3ab-7580-8ec3-7aa079eb875a", lease_until=ahead
    )
    assert pull_due() is None
    ImportPull.objects.filter(pk=pull.pk).update(lease_until=past)
    assert visited(pull).result == "imported"


@pytest.mark.parametrize(
    ("cron", "expected"),
    [
        ("*/15 * * * *", datetime(2026, 2, 1, 10, 15, tzinfo=UTC)),
        ("0 4 * * *", datetime(2026, 2, 2, 4, tzinfo=UTC)),
        ("30 12 1 * *", datetime(2026, 2, 1, 12, 30, tzinfo=UTC)),
        ("0 0 * * 1", datetime(2026, 2, 2, tzinfo=UTC)),
    ],
)
def test_cron_says_when(cron: str, expected: datetime) -> None:
    assert next_run(cron, datetime(2026, 2, 1, 10, 7, tzinfo=UTC)) == expected


@pytest.mark.parametrize("cron", ["", "hourly", "* * * *", "61 * * * *", "0 0 30 2 *", "a b c d e"])
def test_what_is_no_schedule_is_refused(cron: str) -> None:
    with pytest.raises(RequestRefused):
        next_run(cron, datetime(2026, 2, 1, tzinfo=UTC))


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def post(client: Client, key: str, document: object, path: str = PATH) -> Any:
    return client.post(path, document, content_type="application/json", headers=bearer(key))


GOOD = {"name": "hourly rows", "url": "http://127.0.0.1/rows.csv", "cron": "0 * * * *"}


def test_the_api_makes_shows_pauses_runs_and_deletes(tenant: Tenant) -> None:
    client, key = Client(), tenant.another_key("manage")
    made = post(client, key, GOOD)
    assert made.status_code == 201, made.content
    path = f"{PATH}/{made.json()['id']}"
    assert [each["name"] for each in client.get(PATH, headers=bearer(key)).json()] == ["hourly rows"]
    paused = client.patch(path, {"enabled": False}, content_type="application/json", headers=bearer(key))
    assert paused.json()["enabled"] is False
    assert post(client, key, {}, f"{path}/run").json()["enabled"] is True
    assert ImportPull.objects.get().next_at <= timezone.now()
    assert client.delete(path, headers=bearer(key)).status_code == 204
    assert client.get(path, headers=bearer(key)).status_code == 404


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"url": "http://10.0.0.1/"}, "invalid_url"),
        ({"url": "file:///etc/passwd"}, "invalid_url"),
        ({"cron": "often"}, "invalid_schedule"),
        ({"format": "xml"}, "unknown_format"),
        ({"mapping": {"fields": {}}}, "invalid_mapping"),
        ({"name": ""}, "invalid"),
    ],
)
def test_a_pull_that_cannot_be_is_refused(change: dict[str, Any], code: str, tenant: Tenant) -> None:
    answer = post(Client(), tenant.another_key("manage"), {**GOOD, **change})
    assert (answer.status_code, answer.json()["code"]) == (400, code)


def test_keys_that_only_send_or_read_or_are_another_project_s_change_nothing(tenant: Tenant) -> None:
    client = Client()
    made = post(client, tenant.another_key("manage"), GOOD).json()["id"]
    assert post(client, tenant.key, GOOD).status_code == 403
    assert client.get(PATH, headers=bearer(tenant.key)).status_code == 403
    reading = tenant.another_key("read")
    assert client.get(f"{PATH}/{made}", headers=bearer(reading)).status_code == 200
    assert post(client, reading, {}, f"{PATH}/{made}/run").status_code == 403
    other = make_tenant("manage").key
    assert client.get(f"{PATH}/{made}", headers=bearer(other)).status_code == 404
    assert client.delete(f"{PATH}/{made}", headers=bearer(other)).status_code == 404
