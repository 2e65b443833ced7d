"""docs/ingest.md is executed: each example at every door, each code against the source and the corpus."""

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.contracts.ingest_corpus import BAD_EVENTS, BAD_REQUESTS
from tests.support.doors import Door
from tests.support.ingest import Books, Tenant, make_tenant, post

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/ingest.md").read_text()
EXAMPLES = re.findall(r"```http\n(POST .*?)```\n\n```http\n(HTTP.*?)```", PAGE, re.DOTALL)
ANYTHING = "…"


def like(written: Any, found: Any) -> bool:
    """Equal, where the page does not say that it may be anything."""
    if isinstance(written, dict):
        same_keys = isinstance(found, dict) and written.keys() == found.keys()
        return same_keys and all(like(written[key], found[key]) for key in written)
    if isinstance(written, list):
        return len(written) == len(found) and all(map(like, written, found))
    return bool(written == ANYTHING and found) or bool(written == found)


def split(message: str) -> tuple[str, dict[str, str], str]:
    head, _, body = message.partition("\n\n")
    first, *lines = head.splitlines()
    return first, dict(line.split(": ", 1) for line in lines), body


def test_every_example_answers_as_the_page_says(door: Door, tenant: Tenant, books: Books) -> None:
    """In the page's order, in one project: later ones build on earlier ones."""
    assert len(EXAMPLES) == PAGE.count("```http") / 2 >= 5
    for request, response in EXAMPLES:
        target, headers, body = split(request)
        answer = post(
            door,
            tenant.key,
            body.strip().encode(),
            query=target.partition("?")[2],
            content_type=headers.pop("Content-Type"),
            **headers,
        )
        status, expected, document = split(response)
        assert answer.status == int(status.split()[1]), request
        assert answer.headers["content-type"] == expected["Content-Type"]
        assert like(msgspec.json.decode(document), answer.json), (request, answer.json)


def test_the_curl_works_as_it_is_written(ingest_server: int, books: Books) -> None:
    tenant = make_tenant()
    (command,) = re.findall(r"```sh\n(curl.*?)```", PAGE, re.DOTALL)
    command = command.replace("127.0.0.1:8001", f"127.0.0.1:{ingest_server}")
    done = subprocess.run(
        ["bash", "-c", command],
        env={**os.environ, "KEY": tenant.key},
        capture_output=True,
        timeout=30,
        check=True,
    )
    assert msgspec.json.decode(done.stdout)["accepted"] == 1, done.stderr
    assert books.stored(tenant.id) == 1


def documented() -> tuple[dict[str, int], set[str]]:
    """(status by code of a request, codes of an event)."""
    of_request, of_event = PAGE.partition("## Codes")[2].split("Of an event, in `errors`:")
    requests = {code: int(status) for code, status in re.findall(r"\| `(\w+)` \| (\d+) \|", of_request)}
    return requests, set(re.findall(r"^\| `(\w+)` \|", of_event, re.MULTILINE))


OTHER_PAGES = {"imports", "imports_api", "import_pulls_api", "outbound", "quarantine", "rejected_api"}


def test_every_code_in_the_source_is_on_the_page() -> None:
    # Imports and the quarantine have pages, and paths, of their own.
    files = [
        path for path in sorted((ROOT / "events").rglob("*.py")) if not OTHER_PAGES & {*path.parts, path.stem}
    ]
    source = "\n".join(path.read_text() for path in files)
    requests, events = documented()
    of_a_door = {"unsupported_version": "cloudevents.md", "malformed_csv": "imports.md"}
    assert all(code in (ROOT / "docs" / page).read_text() for code, page in of_a_door.items())
    assert set(re.findall(r'InvalidEvent\(\s*"(\w+)"', source)) - of_a_door.keys() == events
    refused = re.findall(r'(?:RequestRefused|problem)\(\s*(\d{3}),\s*"(\w+)"', source)
    # of other paths than this one
    own = {"not_ready", "not_found", "permission_denied", "rule_invalid", "schema_invalid", "schema_refused"}
    found = {code: int(status) for status, code in refused if code not in own}
    assert found | {"invalid_key": 401, "rate_limited": 429, "quota_exceeded": 429} == requests


@pytest.mark.parametrize("bad", BAD_REQUESTS, ids=lambda bad: bad.name)
def test_the_corpus_and_the_page_agree_on_the_status(bad: Any) -> None:
    assert documented()[0][bad.code] == bad.status


def test_the_corpus_shows_every_code_of_an_event() -> None:
    shown = {bad.code for bad in BAD_EVENTS}
    in_lines_or_with_others = {
        "malformed_json", "invalid_utf8", "not_stored", "idempotency_key_reused", "schema_violation"
    }  # fmt: skip
    by_policy = {"type_not_allowed"}
    assert shown | in_lines_or_with_others | by_policy == documented()[1]
