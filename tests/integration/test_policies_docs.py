"""docs/schemas.md and docs/sanitising.md are executed, in their order."""

import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
from rest_framework.test import APIClient

from tests.integration.test_events_docs import like, split
from tests.support.doors import Door
from tests.support.ingest import Books, Tenant, post

DOCS = Path(__file__).resolve().parents[2] / "docs"
BLOCK = re.compile(r"```http\n(.*?)```", re.DOTALL)


@pytest.mark.parametrize(("name", "exchanges"), [("schemas", 3), ("sanitising", 3)])
def test_every_example_answers_as_the_page_says(
    gateway: Door, tenant: Tenant, books: Books, name: str, exchanges: int
) -> None:
    api = APIClient(headers={"authorization": f"Bearer {tenant.another_key('manage')}"})
    blocks = BLOCK.findall((DOCS / f"{name}.md").read_text())
    status, found, made, seen = 0, None, 0, 0
    for block in blocks:
        first, headers, body = split(block)
        if first.startswith("HTTP"):
            assert status == int(first.split()[1]), block
            assert like(msgspec.json.decode(body), found), found
            continue
        method, path = first.split()
        seen += 1
        if path == "/api/v1/events":
            answer = post(gateway, tenant.key, body.strip().encode())
            status, found = answer.status, answer.json
            continue
        response: Any = api.generic(method, path.replace("{id}", str(made)), body, headers["Content-Type"])
        status, found = response.status_code, msgspec.json.decode(response.content)
        assert status < 300, found
        made = found["id"] if isinstance(found, dict) else made
    assert seen == exchanges
