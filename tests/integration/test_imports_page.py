"""The pages of imports without any script: upload, check, start, watch, download, cancel, forget."""

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
from events.imports.models import ImportJob, ImportPull
from tests.support.imports import event, finish, ndjson, queue
from tests.support.ingest import Books, Tenant, make_tenant


@pytest.fixture(autouse=True)
def _import_dir(books: Books, settings: Settings, tmp_path: Path) -> Iterator[None]:
    settings.IMPORT_DIR = tmp_path / "imports"
    yield
    ImportJob.objects.all().delete()
    ImportPull.objects.all().delete()


def signed_in(tenant: Tenant, role: str) -> Client:
    user = User.objects.create_user(f"u-{uuid4().hex[:8]}")
    add_member(user=user, project=tenant.project, role=Role(role))
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def operator(tenant: Tenant) -> Client:
    return signed_in(tenant, "operator")


def base(tenant: Tenant) -> str:
    return f"/p/{tenant.project.slug}/imports/"


def upload(client: Client, tenant: Tenant, content: bytes, name: str) -> Any:
    file = BytesIO(content)
    file.name = name
    return client.post(f"{base(tenant)}upload", {"file": file}, follow=True)


def test_without_imports_the_page_says_what_they_are(operator: Client, tenant: Tenant) -> None:
    page = operator.get(base(tenant)).content.decode()
    assert "No file was imported yet" in page
    assert "Upload and check" in page
    assert 'aria-current="page">Imports' in page


def test_a_csv_is_checked_corrected_started_and_read(operator: Client, tenant: Tenant, books: Books) -> None:
    answer = upload(operator, tenant, b"when,n\n2026-01-31 12:00,1\nx,2\n", "doors.csv")
    page = answer.content.decode()
    assert 'value="imported.doors"' in page
    assert 'value="data.when"' in page
    path = answer.redirect_chain[-1][0]
    form = {"column": ["when", "n"], "target": ["seen", "value"], "kind": ["time", ""], "format": ["%Y", ""],
            "zone": ["Mars", ""], "constant_type": "door", "delimiter": ","}  # fmt: skip
    again = operator.post(path, form).content.decode()
    assert "is no time zone" in again
    assert 'value="Mars"' in again
    good = {**form, "format": ["%Y-%m-%d %H:%M", ""], "zone": ["UTC", ""]}
    checked = operator.post(path, good).content.decode()
    assert "invalid_time" in checked
    assert "good" in checked
    started = operator.post(f"{path}start", good, follow=True).content.decode()
    assert "queued" in started
    job = finish(ImportJob.objects.get(project_id=tenant.id))
    assert (job.accepted, job.rejected) == (1, 1)
    assert books.events(tenant.id)[0]["type"] == "door"
    done = operator.get(path).content.decode()
    assert "invalid_time" in done
    assert "Forget this import" in done
    table = b"".join(operator.get(f"{path}rejected.csv")).decode()
    assert table.splitlines()[1].startswith("3,invalid_time,/data/seen")


def test_ndjson_is_shown_before_it_is_stored(operator: Client, tenant: Tenant, books: Books) -> None:
    answer = upload(operator, tenant, ndjson([event(1)]) + b"{}\n", "a.ndjson")
    assert "missing_field" in answer.content.decode()
    assert books.stored(tenant.id) == 0
    operator.post(f"{answer.redirect_chain[-1][0]}start")
    assert finish(ImportJob.objects.get(project_id=tenant.id)).accepted == 1


def test_cancel_and_forget(operator: Client, tenant: Tenant) -> None:
    job = queue(tenant, ndjson([event(1)]))
    assert "was cancelled" in operator.post(f"{base(tenant)}{job.pk}/cancel", follow=True).content.decode()
    assert (
        "nothing to cancel" in operator.post(f"{base(tenant)}{job.pk}/cancel", follow=True).content.decode()
    )
    assert "were forgotten" in operator.post(f"{base(tenant)}{job.pk}/delete", follow=True).content.decode()
    assert operator.get(f"{base(tenant)}{job.pk}/").status_code == 404


@pytest.mark.parametrize(("content", "says"), [(b"hello", "Nothing says what"), (b"", "empty")])
def test_a_file_that_is_none_of_ours_says_so(
    content: bytes, says: str, operator: Client, tenant: Tenant
) -> None:
    answer = upload(operator, tenant, content, "what")
    assert says in answer.content.decode()
    assert not ImportJob.objects.exists()


def test_a_file_without_the_columns_it_needs_shows_the_problem(operator: Client, tenant: Tenant) -> None:
    answer = upload(operator, tenant, b"\n", "a.csv")
    assert "no header" in answer.content.decode()


@pytest.mark.parametrize(("role", "sees", "runs"), [("viewer", 403, 403), ("analyst", 200, 403)])
def test_roles_decide_who_sees_and_who_runs(role: str, sees: int, runs: int, tenant: Tenant) -> None:
    job, client = queue(tenant, ndjson([event(1)])), signed_in(tenant, role)
    for path in ("", f"{job.pk}/", f"{job.pk}/rejected.csv"):
        assert client.get(base(tenant) + path).status_code == sees
    for path in ("upload", f"{job.pk}/start", f"{job.pk}/cancel", f"{job.pk}/delete"):
        assert client.post(base(tenant) + path).status_code == runs
    assert "Upload and check" not in client.get(base(tenant)).content.decode()


def test_another_project_s_import_is_not_there(operator: Client, tenant: Tenant) -> None:
    other = queue(make_tenant(), ndjson([event(1)]))
    for path in ("", "rejected.csv"):
        assert operator.get(f"{base(tenant)}{other.pk}/{path}").status_code == 404
    for path in ("start", "cancel", "delete"):
        assert operator.post(f"{base(tenant)}{other.pk}/{path}").status_code == 404
    other.refresh_from_db()
    assert other.state == "queued"


PULL = {"name": "hourly", "url": "http://127.0.0.1/rows.csv", "cron": "0 * * * *", "mapping": ""}


def test_a_schedule_is_made_corrected_paused_run_and_deleted(
    operator: Client, tenant: Tenant, settings: Settings
) -> None:
    settings.OUTBOUND_ALLOWED_HOSTS = []
    refused = operator.post(f"{base(tenant)}pulls", PULL, follow=True).content.decode()
    assert "not a public address" in refused
    assert 'value="hourly"' in refused
    settings.OUTBOUND_ALLOWED_HOSTS = ["127.0.0.1"]
    assert (
        "when its schedule says" in operator.post(f"{base(tenant)}pulls", PULL, follow=True).content.decode()
    )
    pull = ImportPull.objects.get(project_id=tenant.id)
    for action, says in (
        ("pause", "paused"),
        ("resume", "Resumed"),
        ("run", "within seconds"),
        ("delete", "Deleted"),
    ):
        answer = operator.post(f"{base(tenant)}pulls/{pull.pk}", {"action": action}, follow=True)
        assert says in answer.content.decode()
    assert not ImportPull.objects.exists()
    assert operator.post(f"{base(tenant)}pulls/{pull.pk}", {"action": "run"}).status_code == 404


def test_another_project_s_schedule_is_not_there(
    operator: Client, tenant: Tenant, settings: Settings
) -> None:
    settings.OUTBOUND_ALLOWED_HOSTS = ["127.0.0.1"]
    other = make_tenant()
    signed_in(other, "operator").post(f"/p/{other.project.slug}/imports/pulls", PULL)
    pull = ImportPull.objects.get(project_id=other.id)
    assert operator.post(f"{base(tenant)}pulls/{pull.pk}", {"action": "delete"}).status_code == 404
    assert signed_in(tenant, "analyst").post(f"{base(tenant)}pulls", PULL).status_code == 403
