"""docs/cloudevents.md is executed: its commands and its script as they are written, its example at every door."""

import os
import re
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from tests.contracts.cloudevents_corpus import BAD_CLOUDEVENTS
from tests.support.doors import Door
from tests.support.ingest import Books, Row, Tenant, post

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/cloudevents.md").read_text()
COMMANDS = re.findall(r"```sh\n(curl.*?)```", PAGE, re.DOTALL)
SCRIPT = re.search(r"```python\n(.*?)```", PAGE, re.DOTALL)
EXAMPLE = re.search(r"```http\nPOST (.*?)\n\n(.*?)```\n\n```http\n(HTTP.*?)\n\n(.*?)```", PAGE, re.DOTALL)


def run(command: list[str], port: int, tenant: Tenant) -> bytes:
    here = [part.replace("127.0.0.1:8001", f"127.0.0.1:{port}") for part in command]
    environment = {**os.environ, "KEY": tenant.key}
    return subprocess.run(here, env=environment, stdout=subprocess.PIPE, timeout=60, check=True).stdout


def events_by_id(books: Books, tenant: Tenant) -> dict[str, Row]:
    return {row["event_id"]: row for row in books.events(tenant.id)}


def test_each_curl_works_as_it_is_written(ingest_server: int, books: Books, tenant: Tenant) -> None:
    answers = [
        msgspec.json.decode(run(["bash", "-c", command], ingest_server, tenant)) for command in COMMANDS
    ]
    assert [answer["accepted"] for answer in answers] == [1, 2, 1]
    stored = events_by_id(books, tenant)
    assert stored["d-1"]["data"] == stored["d-4"]["data"] == {"by": "Ada"}
    assert stored["d-3"]["value"] == 2.5
    assert stored["d-4"]["subject"] == "Haustür"


def test_the_script_works_as_it_is_written(ingest_server: int, books: Books, tenant: Tenant) -> None:
    assert SCRIPT is not None
    printed = run([sys.executable, "-c", SCRIPT[1]], ingest_server, tenant)
    assert printed.count(b"'rejected': 0") == 3
    stored = events_by_id(books, tenant).values()
    assert sorted(row["partition_key"] for row in stored) == ["/house"] * 3 + ["front"]
    assert sorted(row["value"] for row in stored if row["value"]) == [2, 3]


def test_the_example_answers_as_the_page_says(door: Door, tenant: Tenant, books: Books) -> None:
    assert EXAMPLE is not None
    head, body, response, document = EXAMPLE.groups()
    answer = post(door, tenant.key, body.encode(), content_type=head.partition("Content-Type: ")[2])
    assert answer.status == int(response.split()[1])
    assert answer.json == msgspec.json.decode(document)


def documented(page: str) -> set[str]:
    rows = re.findall(r"^\| (`.*?) \|", page.partition("\n## ")[2], re.MULTILINE)
    return {code for row in rows for code in re.findall(r"`(\w+)`", row)}


def test_every_code_of_a_cloudevent_is_on_a_page() -> None:
    folder = ROOT / "events/protocols/cloudevents"
    source = "\n".join(path.read_text() for path in sorted(folder.glob("*.py")))
    raised = set(re.findall(r'(?:InvalidEvent\(|RequestRefused\(\s*\d{3},)\s*"(\w+)"', source))
    verdicts = PAGE.partition("## Verdicts")[2]
    assert raised == documented("\n## Verdicts" + verdicts) - {"missing_field"}
    known = documented((ROOT / "docs/ingest.md").read_text()) | {"unsupported_version"}
    assert {bad.code for bad in BAD_CLOUDEVENTS} | raised <= known


@pytest.mark.parametrize(
    "name", ["specversion", "datacontenttype", "dataschema", "partitionkey", "value", "subject"]
)
def test_every_attribute_with_a_rule_is_on_the_page(name: str) -> None:
    assert f"`{name}`" in PAGE.partition("## What becomes of an event")[2].partition("\n## ")[0]
