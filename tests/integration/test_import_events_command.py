"""`manage.py import_events`: exit codes, the preview, and what it prints."""

import json
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings

from events.imports.files import folder
from events.imports.models import ImportJob
from tests.support.imports import event, ndjson
from tests.support.ingest import Books, Tenant

CSV = b"seen,n\n2026-01-31 12:00:00,1\n2026-01-31 12:00:01,2\n"


@pytest.fixture(autouse=True)
def _import_dir(books: Books, settings: Settings, tmp_path: Path) -> Iterator[None]:
    settings.IMPORT_DIR = tmp_path / "imports"
    yield
    ImportJob.objects.all().delete()


def run(tenant: Tenant, path: Path, *arguments: str) -> tuple[str, str]:
    out, err = StringIO(), StringIO()
    call_command(
        "import_events", str(path), "--project", tenant.project.slug, *arguments, stdout=out, stderr=err
    )
    return out.getvalue(), err.getvalue()


def code_of(tenant: Tenant, path: Path, *arguments: str) -> tuple[Any, str]:
    with pytest.raises(CommandError) as caught:
        run(tenant, path, *arguments)
    return caught.value.returncode, str(caught.value)


def write(folder: Path, name: str, content: bytes) -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def test_following_stores_the_file_and_says_so(tenant: Tenant, books: Books, tmp_path: Path) -> None:
    path = write(tmp_path, "a.ndjson", ndjson(event(n) for n in range(3_000)))
    out, _ = run(tenant, path, "--follow")
    assert "done, 3,000 rows, 3,000 accepted" in out
    assert books.stored(tenant.id) == 3_000
    assert path.exists()


def test_without_following_the_import_is_left_to_workers(
    tenant: Tenant, books: Books, tmp_path: Path
) -> None:
    out, _ = run(tenant, write(tmp_path, "a.ndjson", ndjson([event(1)])), "--json")
    assert json.loads(out)["state"] == "queued"
    assert books.stored(tenant.id) == 0


def test_refused_rows_end_in_exit_code_1(tenant: Tenant, tmp_path: Path) -> None:
    path = write(tmp_path, "a.ndjson", ndjson([event(1)]) + b"nothing\n")
    code, message = code_of(tenant, path, "--follow", "--json")
    assert code == 1
    assert message.startswith("1 rows were refused")


def test_a_failed_import_ends_in_exit_code_2(tenant: Tenant, tmp_path: Path) -> None:
    mapping = write(tmp_path, "mapping.json", b'{"fields": {"type": {"column": "kind"}}}')
    code, message = code_of(tenant, write(tmp_path, "a.csv", CSV), "--mapping", str(mapping), "--follow")
    assert code == 2
    assert "no column 'kind'" in message


def test_a_csv_without_a_mapping_is_sent_to_the_preview_and_kept_nowhere(
    tenant: Tenant, tmp_path: Path
) -> None:
    code, message = code_of(tenant, write(tmp_path, "a.csv", CSV))
    assert (code, "--preview" in message) == (2, True)
    assert not ImportJob.objects.exists()
    assert list(folder().iterdir()) == []


def test_the_preview_prints_a_mapping_that_may_be_used(tenant: Tenant, books: Books, tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", CSV.replace(b"2026-01-31 12:00:01", b"later"))
    out, err = run(tenant, path, "--preview")
    document = json.loads(out)
    assert document["fields"]["data.seen"] == {"column": "seen"}
    assert err.splitlines()[:2] == ["line 2: ok", "line 3: ok"]
    assert list(folder().iterdir()) == []
    mapping = write(tmp_path, "mapping.json", out.encode())
    assert "2 accepted" in run(tenant, path, "--mapping", str(mapping), "--follow")[0]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [(["--project", "nobody"], "no project 'nobody'"), (["--mapping", "/nowhere"], "nowhere")],
)
def test_what_is_not_there_is_named(arguments: list[str], says: str, tenant: Tenant, tmp_path: Path) -> None:
    code, message = code_of(tenant, write(tmp_path, "a.ndjson", b"{}"), *arguments)
    assert code == 2
    assert says in message


def test_a_file_that_is_not_there_is_named(tenant: Tenant, tmp_path: Path) -> None:
    code, message = code_of(tenant, tmp_path / "gone.ndjson")
    assert code == 2
    assert "gone.ndjson" in message
