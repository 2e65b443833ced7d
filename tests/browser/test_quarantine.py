"""The quarantine in Chromium: a refused event is corrected, checked and replayed."""

from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.browser.acting import send, sign_in, wait_until_live
from tests.browser.conftest import Site

Pages = Callable[..., Page]
Picture = Callable[[Page, str], Path]


def test_a_refused_event_is_corrected_and_replayed(site: Site, new_page: Pages, picture: Picture) -> None:
    project = site.project("mending")
    send(site, project, [{"type": "door.opened", "id": f"d-{n}", "value": "late"} for n in range(3)])
    send(site, project, [{"type": "door.shut", "colour": "red"}, {"type": "door.shut", "time": "tomorrow"}])
    page = new_page()
    sign_in(page, site, site.person("mo", "mending", "operator"))
    wait_until_live(page)
    page.get_by_role("link", name="5 in quarantine").click()
    picture(page, "quarantine")
    page.locator("form tr", has_text="unknown_field").get_by_role("link").click()

    editor = page.get_by_label("Text of the event")
    expect(page.locator("mark")).to_contain_text("colour")
    selected = editor.evaluate("box => box.value.slice(box.selectionStart, box.selectionEnd)")
    assert selected == '"colour":"red"'
    picture(page, "quarantine-event")
    editor.fill('{"type": "door.shut", "data": {"colour": "red"}, "value": true}')
    page.get_by_role("button", name="Check").click()
    expect(page.get_by_role("alert")).to_contain_text("/value")
    editor.fill('{"type": "door.shut", "data": {"colour": "red"}}')
    page.get_by_role("button", name="Check").click()
    expect(page.get_by_text("This would be accepted")).to_be_visible()
    page.get_by_role("button", name="Replay").click()
    expect(page.get_by_text("The event is stored.")).to_be_visible()
    rows = site.stack.database.rows(
        "SELECT type, data->>'colour' FROM event WHERE project_id = %s", (project.project_id,)
    )
    assert rows == [("door.shut", "red")]


def test_ticking_all_and_discarding_can_be_undone(site: Site, new_page: Pages, picture: Picture) -> None:
    project = site.project("sorting")
    send(site, project, [{"type": "door.opened", "value": "late"}] * 3)
    page = new_page(width=390, height=800, color_scheme="dark")
    sign_in(page, site, site.person("nell", "sorting", "operator"))
    page.goto(f"{site.url}/p/sorting/rejected/")
    page.get_by_label("Tick all on this page").check()
    picture(page, "quarantine-narrow-dark")
    page.get_by_role("button", name="Discard").click()
    expect(page.get_by_text("3 events discarded.")).to_be_visible()
    expect(page.get_by_text("Nothing is in quarantine")).to_be_visible()
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_text("3 events wait again.")).to_be_visible()
    expect(page.get_by_role("checkbox", name="Tick door.opened")).to_have_count(3)
    overflow = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert overflow <= 0
