"""The live page in Chromium: it moves by itself, says when it cannot, and comes back."""

import re
import time
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.browser.acting import send, sign_in, stored, wait_until_live
from tests.browser.busy import fill_the_past, flow
from tests.browser.conftest import Complaints, Site

Pages = Callable[..., Page]
Picture = Callable[[Page, str], Path]


def open_overview(page: Page, site: Site, slug: str) -> None:
    sign_in(page, site, site.operator)
    page.goto(f"{site.url}/p/{slug}/")
    wait_until_live(page)


def test_the_page_shows_100_more_without_a_reload(site: Site, new_page: Pages) -> None:
    project = site.project("hundred")
    page = new_page()
    sign_in(page, site, site.person("ada", "hundred", "viewer"))
    wait_until_live(page)
    expect(page.get_by_role("heading", name="Send your first event")).to_be_visible()
    before = stored(page)
    page.evaluate("window.stillTheSamePage = true")

    answer = send(site, project, [{"type": "order.placed", "value": n} for n in range(100)])
    assert answer.json()["accepted"] == 100

    expect(page.locator('[data-show="totals.accepted"]')).to_have_text(str(before + 100), timeout=5_000)
    expect(page.locator('[data-rows="types"]')).to_contain_text("order.placed")
    expect(page.locator('[data-rows="newest"] tr')).to_have_count(10)
    expect(page.locator("[data-chart] canvas")).to_be_visible()
    expect(page.get_by_role("heading", name="Send your first event")).to_be_hidden()
    assert page.evaluate("window.stillTheSamePage") is True


def test_a_rejected_event_is_shown_with_its_reason(site: Site, new_page: Pages) -> None:
    project = site.project("refused")
    page = new_page()
    open_overview(page, site, "refused")
    send(site, project, [{"type": "order.placed"}, {"type": "order.placed", "value": "much"}])
    expect(page.locator('[data-rows="rejections"]')).to_contain_text("/value", timeout=5_000)
    expect(page.locator('[data-show="totals.rejected"]')).to_have_text("1", timeout=5_000)


def test_the_page_comes_back_by_itself_after_the_server_was_away(
    site: Site, new_page: Pages, complaints: Complaints
) -> None:
    project = site.project("restart")
    page = new_page()
    open_overview(page, site, "restart")
    site.web.process.kill()
    expect(page.locator("[data-connection]")).to_have_attribute("data-state", "reconnecting", timeout=15_000)
    send(site, project, [{"type": "order.placed"}] * 7)
    site.web = site.stack.start_web(site.web.port)
    wait_until_live(page)
    expect(page.locator('[data-show="totals.accepted"]')).to_have_text("7", timeout=5_000)
    complaints.forgive("WebSocket connection to")


def test_the_page_says_so_when_the_session_ended(site: Site, new_page: Pages) -> None:
    site.project("ended")
    page = new_page()
    open_overview(page, site, "ended")
    site.stack.database.execute("DELETE FROM django_session")
    expect(page.locator("[data-connection]")).to_have_attribute("data-state", "signed-out", timeout=15_000)
    page.get_by_role("link", name="Sign in").click()
    expect(page).to_have_url(re.compile(r"/accounts/login/"))


def test_pausing_holds_the_figures_and_resuming_catches_up(site: Site, new_page: Pages) -> None:
    project = site.project("pause")
    page = new_page()
    open_overview(page, site, "pause")
    page.get_by_role("button", name="Pause").click()
    send(site, project, [{"type": "order.placed"}] * 5)
    expect(page.locator("[data-connection]")).to_have_attribute("data-state", "paused")
    time.sleep(2.5)  # that nothing happens can only be seen by waiting: longer than a hub's poll
    assert stored(page) == 0
    page.get_by_role("button", name="Pause").click()
    expect(page.locator('[data-show="totals.accepted"]')).to_have_text("5", timeout=5_000)


def test_the_chosen_theme_is_remembered(site: Site, new_page: Pages) -> None:
    site.project("theme")
    page = new_page(color_scheme="light")
    open_overview(page, site, "theme")
    page.get_by_role("button", name="Switch between light and dark").click()
    page.reload()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    assert page.evaluate("getComputedStyle(document.body).colorScheme") == "dark"


def test_signing_out_ends_at_the_sign_in_page(site: Site, new_page: Pages) -> None:
    site.project("leave")
    page = new_page()
    open_overview(page, site, "leave")
    page.locator("summary", has_text=site.operator.username).click()
    page.get_by_role("button", name="Sign out").click()
    page.goto(site.url)
    expect(page).to_have_url(re.compile(r"/accounts/login/"))


def test_nothing_is_cut_off_at_any_width(site: Site, new_page: Pages) -> None:
    project = site.project("widths")
    fill_the_past(site, project, seconds=60)
    flow(site, project, seed=10)
    page = new_page()
    open_overview(page, site, "widths")
    for width in (320, 390, 768, 1280):
        page.set_viewport_size({"width": width, "height": 900})
        page.wait_for_function("width => document.querySelector('.uplot').clientWidth < width", arg=width)
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_pictures_of_a_busy_project(site: Site, new_page: Pages, picture: Picture) -> None:
    site.stack.start_worker()
    site.stack.start_beat()
    project = site.project("demo", "flight.*")
    pages = {scheme: new_page(color_scheme=scheme) for scheme in ("light", "dark")}
    for page in pages.values():
        open_overview(page, site, "demo")
    fill_the_past(site, project)
    deadline = time.monotonic() + 60
    seed = 0
    while page.locator('[data-rows="windows"] tr').count() < 8:
        assert time.monotonic() < deadline, "no windows closed"
        flow(site, project, seed := seed + 1)
        page.wait_for_timeout(200)
    for scheme, page in pages.items():
        page.set_viewport_size({"width": 1280, "height": 900})
        assert picture(page, f"overview-{scheme}").stat().st_size > 20_000
