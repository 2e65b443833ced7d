"""/api/v1/imports: who may do what, what a body becomes, and what can be downloaded."""

import json
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from pytest_django import Settings

from accounts.models import User
from accounts.roles import Role
from accounts.services import add_member
from events.imports.files import folder
from events.imports.models import ImportJob
from tests.support.imports import event, finish, ndjson, packed, queue
from tests.support.ingest import Books, Tenant, make_tenant

PATH = "/api/v1/imports"
CSV = b"at,n,text\n2026-13-01,1,x\n"
MAPPING = {"fields": {"type": {"constant": "row"}, "value": {"column": "n"}}}


BAD_UPLOADS = [
    (b"", "", 400, "empty_file"),
    (b"a,b\n", "?format=xml", 415, "unknown_format"),
    (b"PAR1xx", "?format=csv", 415, "unknown_format"),
    (b"abc", "?format=parquet", 415, "unknown_format"),
    (b"\xff\xfea\x00", "?name=a.csv", 415, "unsupported_charset"),
    (b"hello", "", 415, "unknown_format"),
    (packed(b"PAR1", "gzip"), "", 415, "unsupported_encoding"),
    (packed(b"{}", "gzip")[:-5], "", 422, "broken_encoding"),
    (b"{}", "?colour=1", 400, "invalid_parameter"),
    (b"{}", "?preview=maybe", 400, "invalid_parameter"),
    (b"a,b\n", "?name=a.csv&mapping={", 400, "invalid_mapping"),
    (b"{}", '?mapping={"fields":{"type":{"column":"a"}}}', 400, "invalid_mapping"),
]


@pytest.fixture(autouse=True)
def _import_dir(books: Books, settings: Settings, tmp_path: Path) -> Iterator[None]:
    settings.IMPORT_DIR = tmp_path / "imports"
    yield
    ImportJob.objects.all().delete()


@pytest.fixture
def client() -> Client:
    return Client(raise_request_exception=False)


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def upload(
    client: Client, key: str | None, body: bytes, query: str = "", media: str = "application/x-ndjson"
) -> Any:
    headers = bearer(key) if key else {}
    return client.generic("POST", PATH + query, body, content_type=media, headers=headers)


def get(client: Client, key: str, path: str) -> Any:
    return client.get(PATH + path, headers=bearer(key))


@pytest.mark.parametrize("encoding", ["", "gzip", "zstd"])
def test_a_body_becomes_an_import_that_is_queued(
    encoding: str, client: Client, tenant: Tenant, books: Books
) -> None:
    content = packed(ndjson(event(n) for n in range(50)), encoding)
    answer = upload(client, tenant.key, content, "?name=a/b/rows.ndjson")
    assert answer.status_code == 201, answer.content
    made = answer.json()
    assert (made["state"], made["name"], made["size"]) == ("queued", "rows.ndjson", len(content))
    finish(ImportJob.objects.get(pk=made["id"]))
    found = get(client, tenant.key, f"/{made['id']}").json()
    assert (found["state"], found["accepted"], found["progress"], found["eta_seconds"]) == (
        "done",
        50,
        1.0,
        None,
    )
    assert books.stored(tenant.id) == 50


def test_a_csv_waits_for_its_mapping_and_starts_with_it(client: Client, tenant: Tenant) -> None:
    made = upload(client, tenant.key, b"n,text\n1,x\nmany,y\n", "?name=a.csv", "text/csv").json()
    assert made["state"] == "ready"
    path = f"{PATH}/{made['id']}"
    refused = client.post(f"{path}/start", {}, content_type="application/json", headers=bearer(tenant.key))
    assert (refused.status_code, refused.json()["code"]) == (400, "invalid_mapping")
    started = client.post(
        f"{path}/start", {"mapping": MAPPING}, content_type="application/json", headers=bearer(tenant.key)
    )
    assert started.json()["state"] == "queued"
    again = client.post(f"{path}/start", {}, content_type="application/json", headers=bearer(tenant.key))
    assert (again.status_code, again.json()["code"]) == (409, "import_state")
    job = finish(ImportJob.objects.get(pk=made["id"]))
    assert (job.accepted, job.rejected) == (1, 1)


def test_a_preview_shows_the_first_20_rows_and_stores_nothing(
    client: Client, tenant: Tenant, books: Books
) -> None:
    lines = [ndjson([event(n)]).strip() for n in range(30)]
    lines[1], lines[2] = b"", b'{"type": 7}'
    made = upload(client, tenant.key, b"\n".join(lines), "?preview=1").json()
    rows = made["preview"]["rows"]
    assert made["state"] == "ready"
    assert [row["line"] for row in rows] == [1, *range(3, 22)]
    assert (rows[1]["code"], rows[1]["pointer"]) == ("wrong_type", "/type")
    assert rows[0]["code"] is None
    assert books.stored(tenant.id) == 0


@pytest.mark.parametrize("encoding", ["", "gzip"])
def test_a_preview_of_csv_suggests_a_mapping_and_judges_another(
    encoding: str, client: Client, tenant: Tenant
) -> None:
    body = packed(b"when;n;door\n2026-01-31 12:00:00;1;a\n2026-01-31 12:00:01;x;b\n", encoding)
    made = upload(client, tenant.key, body, "?preview=1&name=doors.csv", "application/octet-stream").json()
    preview = made["preview"]
    assert preview["suggested"]
    assert preview["columns"] == ["when", "n", "door"]
    assert preview["mapping"]["fields"]["type"] == {"constant": "imported.doors"}
    assert preview["mapping"]["delimiter"] == ";"
    assert [row["code"] for row in preview["rows"]] == [None, None]
    other = {**preview["mapping"], "fields": {"type": {"column": "door"}, "value": {"column": "n"}}}
    answer = client.post(
        f"{PATH}/{made['id']}/preview",
        {"mapping": other},
        content_type="application/json",
        headers=bearer(tenant.key),
    )
    assert [row["code"] for row in answer.json()["rows"]] == [None, "wrong_type"]
    assert json.loads(answer.json()["rows"][0]["event"]) == {"type": "a", "value": 1}


def test_a_form_s_file_is_an_import_too(client: Client, tenant: Tenant) -> None:
    file = BytesIO(ndjson([event(1)]))
    file.name = "form.ndjson"
    answer = client.post(PATH, {"file": file}, headers=bearer(tenant.key))
    assert (answer.status_code, answer.json()["name"]) == (201, "form.ndjson")


@pytest.mark.parametrize(("body", "query", "status", "code"), BAD_UPLOADS)
def test_a_bad_upload_is_a_problem_and_leaves_no_file(
    body: bytes, query: str, status: int, code: str, client: Client, tenant: Tenant
) -> None:
    answer = upload(client, tenant.key, body, query, "application/octet-stream")
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.content
    assert answer["Content-Type"] == "application/problem+json"
    assert list(folder().iterdir()) == []


def test_a_file_that_announces_itself_too_large_is_refused(
    client: Client, tenant: Tenant, settings: Settings
) -> None:
    settings.IMPORT_MAX_BYTES = 10
    assert upload(client, tenant.key, b"{}" * 10).json()["code"] == "file_too_large"


def test_refused_rows_are_downloaded_with_their_lines(client: Client, tenant: Tenant) -> None:
    job = finish(queue(tenant, b'{"type": "a"}\nnothing\n=cmd()\n'))
    lines = b"".join(get(client, tenant.another_key("read"), f"/{job.pk}/rejected")).splitlines()
    assert [(row["line"], row["code"], row["raw"]) for row in map(json.loads, lines)] == [
        (2, "malformed_json", "nothing"),
        (3, "malformed_json", "=cmd()"),
    ]
    table = b"".join(get(client, tenant.another_key("read"), f"/{job.pk}/rejected?format=csv")).decode()
    assert table.splitlines()[0] == "line,code,pointer,message,raw"
    assert table.splitlines()[2].endswith(",'=cmd()")
    assert get(client, tenant.another_key("read"), f"/{job.pk}/rejected?format=xml").status_code == 400


def test_cancel_then_delete(client: Client, tenant: Tenant) -> None:
    made = upload(client, tenant.key, ndjson([event(1)])).json()
    path = f"{PATH}/{made['id']}"
    early = client.delete(path, headers=bearer(tenant.key))
    assert (early.status_code, early.json()["code"]) == (409, "import_running")
    assert client.post(f"{path}/cancel", headers=bearer(tenant.key)).json()["state"] == "cancelled"
    assert client.post(f"{path}/cancel", headers=bearer(tenant.key)).status_code == 409
    assert client.delete(path, headers=bearer(tenant.key)).status_code == 204
    assert client.get(path, headers=bearer(tenant.key)).status_code == 404


def test_another_project_s_import_is_not_there(client: Client, tenant: Tenant) -> None:
    job = queue(tenant, ndjson([event(1)]))
    other = make_tenant("ingest", "read", "manage").key
    assert get(client, other, "").json() == []
    for path in ("", "/preview", "/rejected"):
        assert get(client, other, f"/{job.pk}{path}").status_code == 404
    for path in ("/start", "/cancel", "/preview"):
        answer = client.post(
            f"{PATH}/{job.pk}{path}", {}, content_type="application/json", headers=bearer(other)
        )
        assert answer.status_code == 404
    assert client.delete(f"{PATH}/{job.pk}", headers=bearer(other)).status_code == 404


def test_an_ingest_key_sees_only_what_it_sent_itself(client: Client, tenant: Tenant) -> None:
    mine = upload(client, tenant.key, ndjson([event(1)])).json()["id"]
    another = tenant.another_key("ingest")
    assert get(client, another, "").json() == []
    assert get(client, another, f"/{mine}").status_code == 404
    assert [each["id"] for each in get(client, tenant.key, "").json()] == [mine]
    assert [each["id"] for each in get(client, tenant.another_key("read"), "").json()] == [mine]


def test_a_reading_key_may_not_send_and_a_backfill_key_neither(client: Client, tenant: Tenant) -> None:
    for scope in ("read", "backfill"):
        assert upload(client, tenant.another_key(scope), ndjson([event(1)])).status_code == 403
    assert get(client, tenant.another_key("backfill"), "").status_code == 403
    assert upload(client, None, b"{}").status_code == 401


@pytest.mark.parametrize(
    ("role", "reads", "runs"), [("viewer", 403, 403), ("analyst", 200, 403), ("operator", 200, 201)]
)
def test_a_person_s_role_decides(role: str, reads: int, runs: int, client: Client, tenant: Tenant) -> None:
    user = User.objects.create_user(f"u-{uuid4().hex[:8]}")
    add_member(user=user, project=tenant.project, role=Role(role))
    client.force_login(user)
    assert client.get(PATH).status_code == reads
    assert upload(client, None, ndjson([event(1)])).status_code == runs
    assert client.get(f"{PATH}?project={make_tenant().project.slug}").status_code == 404
