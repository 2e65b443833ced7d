"""What people do on the pages, and what programs send meanwhile."""

import re
from collections.abc import Sequence

import httpx
from playwright.sync_api import Page, expect

from tests.browser.conftest import Person, Site
from tests.support.stack import Seeded

LIVE = re.compile(r"^live$")


def sign_in(page: Page, site: Site, person: Person) -> None:
    page.goto(site.url)
    page.get_by_label("Username").fill(person.username)
    page.get_by_label("Password").fill(person.password)
    page.get_by_role("button", name="Sign in").click()


def wait_until_live(page: Page) -> None:
    expect(page.locator("[data-connection]")).to_have_attribute("data-state", "live", timeout=15_000)


def send(site: Site, project: Seeded, events: Sequence[dict[str, object]]) -> httpx.Response:
    """POST events to the ingest process with the project's key."""
    return httpx.post(
        f"http://127.0.0.1:{site.ingest.port}/api/v1/events",
        json=list(events),
        headers={"Authorization": f"Bearer {project.ingest_key}"},
        timeout=10,
    )


def stored(page: Page) -> int:
    """The page's count of stored events."""
    return int(page.locator('[data-show="totals.accepted"]').inner_text().replace(",", ""))
