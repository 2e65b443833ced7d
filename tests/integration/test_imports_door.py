"""The gateway's way in for files: to disk while they arrive, with DRF's answers."""

import tracemalloc
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings

from events.imports import door as module
from events.imports.files import folder
from events.imports.models import ImportJob
from tests.integration.test_imports_api import BAD_UPLOADS, upload
from tests.support.doors import Answer, GatewayDoor
from tests.support.imports import event, finish, ndjson, packed
from tests.support.ingest import Books, Tenant

MIB = 2**20


class ImportDoor(GatewayDoor):
    """The gateway, asked for imports."""

    def send(self, body: bytes, headers: Mapping[str, str], query: str = "") -> Answer:
        return self.receive(self._messages(body), headers, query)

    def receive(self, messages: Any, headers: Mapping[str, str], query: str = "") -> Answer:
        scope = {
            "type": "http",
            "method": "POST",
            "path": module.IMPORTS_PATH,
            "query_string": query.encode(),
            "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()],
        }
        return self.thread.run(self._call(scope, messages))


@pytest.fixture(scope="module")
def door(books: Books) -> Iterator[ImportDoor]:
    opened = ImportDoor(pieces=7)
    yield opened
    opened.close()


@pytest.fixture(autouse=True)
def _import_dir(books: Books, settings: Settings, tmp_path: Path) -> Iterator[None]:
    settings.IMPORT_DIR = tmp_path / "imports"
    yield
    ImportJob.objects.all().delete()


def bearer(key: str, media: str = "application/x-ndjson", **headers: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}", "Content-Type": media, **headers}


@pytest.mark.parametrize("encoding", ["", "zstd"])
def test_a_file_in_pieces_becomes_an_import(
    encoding: str, door: ImportDoor, tenant: Tenant, books: Books
) -> None:
    answer = door.send(
        packed(ndjson(event(n) for n in range(500)), encoding), bearer(tenant.key), "name=a.ndjson"
    )
    assert (answer.status, answer.json["state"], answer.json["name"]) == (201, "queued", "a.ndjson")
    assert finish(ImportJob.objects.get(pk=answer.json["id"])).accepted == 500
    assert books.stored(tenant.id) == 500


def test_a_preview_is_the_same_as_by_django(door: ImportDoor, tenant: Tenant) -> None:
    body = b"n,text\n1,x\n"
    ours = door.send(body, bearer(tenant.key, "text/csv"), "preview=1&name=a.csv")
    theirs = upload(Client(), tenant.key, body, "?preview=1&name=a.csv", "text/csv")
    assert ours.status == theirs.status_code == 201
    assert ours.json["preview"] == theirs.json()["preview"]
    assert ours.json.keys() == theirs.json().keys()
    assert ours.json["created_by"] == theirs.json()["created_by"]


@pytest.mark.parametrize(("body", "query", "status", "code"), BAD_UPLOADS)
def test_a_bad_upload_is_a_problem_and_leaves_no_file(
    body: bytes, query: str, status: int, code: str, door: ImportDoor, tenant: Tenant
) -> None:
    answer = door.send(body, bearer(tenant.key, "application/octet-stream"), query.removeprefix("?"))
    assert (answer.status, answer.json["code"]) == (status, code)
    assert answer.headers["content-type"] == "application/problem+json"
    assert list(folder().iterdir()) == []


def test_what_announces_itself_too_large_is_refused_unread(
    door: ImportDoor, tenant: Tenant, settings: Settings
) -> None:
    settings.IMPORT_MAX_BYTES = 100
    answer = door.receive([], bearer(tenant.key, **{"Content-Length": "101"}))
    assert (answer.status, answer.json["code"]) == (413, "file_too_large")
    grown = door.send(b"x" * 101, bearer(tenant.key))
    assert (grown.status, grown.json["code"]) == (413, "file_too_large")
    assert list(folder().iterdir()) == []


def test_an_upload_that_breaks_off_leaves_nothing(door: ImportDoor, tenant: Tenant) -> None:
    half = [{"type": "http.request", "body": b'{"type": "a"}\n', "more_body": True}]
    assert door.receive(half, bearer(tenant.key)).json["code"] == "broken_body"
    assert list(folder().iterdir()) == []
    assert not ImportJob.objects.exists()


def test_so_many_files_arrive_at_once_and_no_more(
    door: ImportDoor, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "AT_ONCE", 0)
    answer = door.send(b"{}\n", bearer(tenant.key))
    assert (answer.status, answer.headers["retry-after"]) == (503, "5")


def test_keys_are_asked_for(door: ImportDoor, tenant: Tenant) -> None:
    assert door.send(b"{}\n", bearer("sg_nothing")).status == 401
    assert door.send(b"{}\n", bearer(tenant.another_key("read"))).status == 403
    assert door.send(b"{}\n", bearer(tenant.key), "project=another").json["code"] == "wrong_project"
    assert not ImportJob.objects.exists()


def test_a_large_file_takes_no_memory(door: ImportDoor, tenant: Tenant) -> None:
    piece = ndjson(event(n) for n in range(500))[: 64 * 1024]
    messages = ({"type": "http.request", "body": piece, "more_body": n < 1_599} for n in range(1_600))
    tracemalloc.start()
    try:
        answer = door.receive(messages, bearer(tenant.key))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (answer.status, answer.json["size"]) == (201, 1_600 * len(piece))
    assert peak < 16 * MIB
