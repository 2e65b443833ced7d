"""The page of limits in Chromium: what was refused is on it, at any width."""

from collections.abc import Callable
from pathlib import Path

import httpx
from playwright.sync_api import Page, expect

from tests.browser.acting import sign_in
from tests.browser.conftest import Site
from tests.support.processes import run_manage

Pages = Callable[..., Page]
Picture = Callable[[Page, str], Path]


def limited_key(site: Site, slug: str) -> str:
    create = ["create", "--project", slug, "--scope", "ingest", "--name", "a sensor in the lower valley"]
    limits = ["--rate", "10", "--burst", "20", "--daily-quota", "1000", "--allow-type", "level.*"]
    addresses = ["--allow-from", "127.0.0.0/8", "--allow-from", "2001:db8::/32"]
    answer = run_manage(site.stack.environment("web"), "keys", *create, *limits, *addresses)
    return next(line for line in answer.splitlines() if line.startswith("sg_"))


def test_what_was_refused_is_on_the_page_at_any_width(site: Site, new_page: Pages, picture: Picture) -> None:
    site.project("limits")
    key = limited_key(site, "limits")
    events = [{"type": "level.read"}] * 19 + [{"type": "door.opened"}]
    statuses = [
        httpx.post(
            f"http://127.0.0.1:{site.ingest.port}/api/v1/events",
            json=batch,
            headers={"Authorization": f"Bearer {key}"},
            timeout=10,
        ).status_code
        for batch in (events, events * 2, [*events, *events[:1]])
    ]
    assert statuses == [207, 413, 413]
    for scheme in ("light", "dark"):
        page = new_page(color_scheme=scheme)
        sign_in(page, site, site.operator)
        page.goto(f"{site.url}/p/limits/")
        page.get_by_role("link", name="Limits").click()
        dropped = page.get_by_role("table", name="What was dropped")
        expect(
            dropped.get_by_role("row", name="too_many_events a sensor in the lower valley")
        ).to_be_visible()
        expect(dropped).to_contain_text("type_not_allowed")
        for width in (320, 390, 768, 1280):
            page.set_viewport_size({"width": width, "height": 900})
            assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert picture(page, f"limits-{scheme}").stat().st_size > 10_000
