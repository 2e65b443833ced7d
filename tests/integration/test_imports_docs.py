"""docs/imports.md is executed: its requests in order, its command, and its codes against the source."""

import re
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import msgspec
import pytest
from django.core.management import call_command
from django.test import Client
from pytest_django import Settings

from events.imports.mapping import parse_mapping
from events.imports.models import ImportJob, ImportPull
from tests.integration.test_events_docs import like
from tests.support.imports import event, finish, ndjson
from tests.support.ingest import Books, Tenant

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/imports.md").read_text()
EXAMPLES = re.findall(r"```http\n((?:POST|GET) .*?)```\n\n```http\n(HTTP.*?)```", PAGE, re.DOTALL)


@pytest.fixture(autouse=True)
def _import_dir(books: Books, settings: Settings, tmp_path: Path) -> Iterator[None]:
    settings.IMPORT_DIR = tmp_path / "imports"
    settings.OUTBOUND_ALLOWED_HOSTS = ["files.example"]
    yield
    ImportJob.objects.all().delete()
    ImportPull.objects.all().delete()


def ask(key: str, request: str, job_id: str) -> Any:
    head, _, body = request.partition("\n\n")
    first, *lines = head.strip().splitlines()
    method, path = first.replace("{id}", job_id).split(" ", 1)
    headers = dict(line.split(": ", 1) for line in lines)
    return Client().generic(
        method, path, body.strip().encode(), content_type=headers.get("Content-Type", ""),
        headers={"Authorization": f"Bearer {key}"},
    )  # fmt: skip


def test_every_example_answers_as_the_page_says(tenant: Tenant) -> None:
    key, job_id = tenant.another_key("manage"), ""
    assert len(EXAMPLES) == PAGE.count("```http") / 2 >= 5
    for request, response in EXAMPLES:
        if "/rejected" in request:
            finish(ImportJob.objects.get(pk=job_id))
        answer = ask(key, request, job_id)
        head, _, document = response.partition("\n\n")
        assert answer.status_code == int(head.split()[1]), answer.content
        found = b"".join(answer) if answer.streaming else answer.content
        assert like(msgspec.json.decode(document), msgspec.json.decode(found)), (request, found)
        job_id = job_id or msgspec.json.decode(found)["id"]


def test_the_command_works_as_it_is_written(
    tenant: Tenant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "rows.ndjson").write_bytes(ndjson([event(1)]))
    monkeypatch.chdir(tmp_path)
    (command,) = re.findall(r"```sh\nmanage\.py (.*?)\n```", PAGE)
    out = StringIO()
    call_command(*command.replace("demo", tenant.project.slug).split(), stdout=out)
    assert "1 accepted" in out.getvalue()


def test_the_page_s_mapping_is_one() -> None:
    (text,) = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
    assert len(parse_mapping(text).fields) == 6


def test_every_code_of_a_failed_import_is_on_the_page() -> None:
    source = "\n".join(path.read_text() for path in sorted((ROOT / "events/imports").glob("*.py")))
    documented = set(re.findall(r"^\| `(\w+)` \|", PAGE.partition("## Codes")[2], re.MULTILINE))
    assert set(re.findall(r'ImportFailed\(\s*"(\w+)"', source)) <= documented
    assert set(re.findall(r'InvalidEvent\(\s*"(malformed_csv)"', source)) <= documented
