"""docs/limits.md is executed: its command makes a key, and its examples answer as the page says at every door."""

import re
import shlex
from io import StringIO
from pathlib import Path

import msgspec
import pytest
from django.core.management import call_command

from tests.integration.test_events_docs import like, split
from tests.support.doors import Door
from tests.support.ingest import Tenant, post

PAGE = (Path(__file__).resolve().parents[2] / "docs/limits.md").read_text()
EXAMPLES = re.findall(r"```http\n(POST .*?)```\n\n```http\n(HTTP.*?)```", PAGE, re.DOTALL)


@pytest.fixture
def key(tenant: Tenant) -> str:
    """Made as the page says, in the test's project."""
    (command,) = re.findall(r"```sh\nmanage\.py (.*?)\n```", PAGE, re.DOTALL)
    out = StringIO()
    words = shlex.split(command.replace("--project demo", f"--project {tenant.project.slug}"))
    call_command(*words, stdout=out, stderr=StringIO())
    return out.getvalue().strip()


def test_the_examples_answer_as_the_page_says(door: Door, key: str) -> None:
    assert len(EXAMPLES) == 2
    for request, response in EXAMPLES:
        _, headers, body = split(request)
        answer = post(door, key, body.strip().encode(), content_type=headers["Content-Type"])
        status, expected, document = split(response)
        assert answer.status == int(status.split()[1])
        for name, value in expected.items():
            assert answer.headers[name.lower()] == value
        assert like(msgspec.json.decode(document), answer.json), answer.json
