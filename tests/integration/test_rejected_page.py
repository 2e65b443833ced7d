"""The quarantine's pages before any script runs: look, correct, replay, discard, undo; who may what."""

import re
from collections.abc import Callable
from uuid import UUID, uuid4

import pytest
from django.test import Client

from accounts.models import Project, User
from accounts.roles import Role
from accounts.services import add_member
from tests.support.doors import Door
from tests.support.ingest import Books, Row, Tenant, make_tenant, post

BAD = b'{"type": "door.opened", "value": "late"}'
GOOD = '{"type": "door.opened", "value": 1}'
Page = Callable[..., str]


def member(project: Project, role: Role) -> Client:
    user = User.objects.create_user(f"{role}-{uuid4().hex[:8]}")
    add_member(user=user, project=project, role=role)
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def operator(tenant: Tenant) -> Client:
    return member(tenant.project, Role.OPERATOR)


@pytest.fixture
def refuse(gateway: Door, tenant: Tenant, books: Books) -> Callable[..., list[Row]]:
    def send(*texts: bytes) -> list[Row]:
        post(gateway, tenant.key, b"\n".join(texts), content_type="application/x-ndjson")
        return books.rejected(tenant.id)

    return send


Refuse = Callable[..., list[Row]]


def address(tenant: Tenant, more: str = "") -> str:
    return f"/p/{tenant.project.slug}/rejected/{more}"


def test_an_empty_quarantine_says_what_will_be_here(operator: Client, tenant: Tenant) -> None:
    html = operator.get(address(tenant)).content.decode()
    assert "Nothing is in quarantine" in html
    assert "kept for 30 days" in html


def test_the_list_has_groups_and_events_and_escapes_them(
    operator: Client, refuse: Refuse, tenant: Tenant
) -> None:
    refuse(BAD, BAD, b'{"type": "t", "<script>": 1}')
    html = operator.get(address(tenant)).content.decode()
    assert re.search(
        r">door\.opened</a></td>\s*<td><span[^>]*>wrong_type</span></td>\s*<td class=\"number\">2<", html
    )
    assert "&lt;script&gt;" in html
    assert "<script>" not in html
    assert "2 events" in operator.get(address(tenant), {"type": "door.opened"}).content.decode()
    assert "No event matches" in operator.get(address(tenant), {"state": "replayed"}).content.decode()


def test_older_events_are_a_page_further(operator: Client, refuse: Refuse, tenant: Tenant) -> None:
    refuse(*[BAD] * 60)
    first = operator.get(address(tenant)).content.decode()
    (link,) = re.findall(r'href="(\?[^"]*cursor=[^"]*)"', first)
    second = operator.get(address(tenant) + link.replace("&amp;", "&")).content.decode()
    assert (first.count("data-tick "), second.count("data-tick ")) == (50, 10)
    assert operator.get(address(tenant), {"cursor": "nonsense"}).status_code == 302


def test_an_event_shows_what_is_wrong_where(operator: Client, refuse: Refuse, tenant: Tenant) -> None:
    (row,) = refuse(BAD)
    html = operator.get(address(tenant, row["id"])).content.decode()
    assert "expected a number" in html
    assert "<mark>&quot;value&quot;: &quot;late&quot;</mark>" in html
    assert 'data-start="24" data-end="39"' in html


def test_checking_says_what_would_become_of_it_and_keeps_the_text(
    operator: Client, refuse: Refuse, tenant: Tenant, books: Books
) -> None:
    (row,) = refuse(BAD)
    here = address(tenant, row["id"])
    bad = operator.post(
        here, {"action": "validate", "text": '{"type": "t",\r\n"colour": 1}'}
    ).content.decode()
    assert "put your own fields into data" in bad
    assert "<mark>&quot;colour&quot;: 1</mark>" in bad
    good = operator.post(here, {"action": "validate", "text": GOOD}).content.decode()
    assert "This would be accepted" in good
    assert "&quot;value&quot;: 1}" in good
    assert books.rejected(tenant.id) == [row]


def test_a_correction_is_replayed_from_the_page(
    operator: Client, refuse: Refuse, tenant: Tenant, books: Books
) -> None:
    (row,) = refuse(BAD)
    done = operator.post(address(tenant, row["id"]), {"action": "replay", "text": GOOD}, follow=True)
    html = done.content.decode()
    assert "The event is stored." in html
    assert str(books.events(tenant.id)[0]["uid"]) in html
    assert "<textarea" not in html


def test_a_replay_that_is_refused_shows_the_new_reason(
    operator: Client, refuse: Refuse, tenant: Tenant
) -> None:
    (row,) = refuse(BAD)
    answer = operator.post(address(tenant, row["id"]), {"action": "replay", "text": "{"}, follow=True)
    html = answer.content.decode()
    assert "refused again" in html
    assert "malformed_json" in html
    assert "as corrected last" in html


def test_bytes_that_are_no_text_stay_as_they_are_unless_they_are_edited(
    operator: Client, refuse: Refuse, tenant: Tenant, books: Books
) -> None:
    (row,) = refuse(b'{"type": "t", "source": "\xff"}')
    here = address(tenant, row["id"])
    html = operator.get(here).content.decode()
    assert "not UTF-8" in html
    operator.post(here, {"action": "replay", "text": '{"type": "t", "source": "\ufffd"}'})
    (after,) = books.rejected(tenant.id)
    assert (after["code"], after["corrected"]) == ("invalid_utf8", None)


def test_discarding_one_can_be_undone_on_its_page(
    operator: Client, refuse: Refuse, tenant: Tenant, books: Books
) -> None:
    (row,) = refuse(BAD)
    here = address(tenant, row["id"])
    assert "Restore" in operator.post(here, {"action": "discard"}, follow=True).content.decode()
    assert books.rejected(tenant.id)[0]["state"] == "discarded"
    assert "waits again" in operator.post(here, {"action": "restore"}, follow=True).content.decode()
    assert books.rejected(tenant.id)[0]["state"] == "waiting"


def test_those_ticked_are_discarded_and_an_undo_is_offered(
    operator: Client, refuse: Refuse, tenant: Tenant, books: Books
) -> None:
    first, second, _ = refuse(BAD, BAD, BAD)
    form = {"action": "discard", "scope": "selected", "id": [first["id"], second["id"]]}
    html = operator.post(address(tenant, "act"), form, follow=True).content.decode()
    assert "2 events discarded." in html
    (bulk,) = re.findall(r'name="bulk" value="([^"]*)"', html)
    undo = {"action": "restore", "scope": "matching", "state": "discarded", "bulk": bulk}
    html = operator.post(address(tenant, "act"), undo, follow=True).content.decode()
    assert "2 events wait again." in html
    assert {row["state"] for row in books.rejected(tenant.id)} == {"waiting"}


def test_all_that_match_are_corrected_alike_and_replayed(
    operator: Client, refuse: Refuse, tenant: Tenant, books: Books
) -> None:
    refuse(
        b'{"type": "a", "colour": 1}',
        b'{"type": "a", "colour": 2, "value": "x"}',
        b'{"type": "b", "colour": 1}',
    )
    form = {"action": "replay", "scope": "matching", "type": "a", "op": "remove", "pointer": "/colour"}
    html = operator.post(address(tenant, "act"), form, follow=True).content.decode()
    assert "1 replayed, 1 refused again." in html
    assert [event["type"] for event in books.events(tenant.id)] == ["a"]


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"action": "replay", "scope": "selected"}, "Tick at least one"),
        ({"action": "burn", "scope": "matching"}, "choose again"),
        ({"action": "replay", "scope": "selected", "id": "x"}, "badly formed"),
        ({"action": "replay", "scope": "matching", "op": "set", "pointer": "x"}, "not a pointer"),
        ({"action": "discard", "scope": "matching", "state": "replayed"}, "that are waiting"),
    ],
)
def test_what_cannot_be_done_is_said(
    form: dict[str, str], said: str, operator: Client, refuse: Refuse, tenant: Tenant, books: Books
) -> None:
    (row,) = refuse(BAD)
    assert said in operator.post(address(tenant, "act"), form, follow=True).content.decode()
    assert books.rejected(tenant.id) == [row]


def test_a_large_action_shows_its_progress(
    operator: Client, refuse: Refuse, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("events.quarantine.selectors.BATCH_ROWS", 1)
    monkeypatch.setattr("events.quarantine.services.AT_ONCE_SECONDS", 0.0)
    refuse(BAD, BAD)
    form = {"action": "replay", "scope": "matching"}
    answer = operator.post(address(tenant, "act"), form, follow=True)
    assert "1 of 2 events treated" in answer.content.decode()
    assert answer.headers["Refresh"] == "2"


def test_the_overview_counts_what_waits_and_links_there(
    operator: Client, refuse: Refuse, tenant: Tenant
) -> None:
    refuse(BAD, BAD)
    html = operator.get(f"/p/{tenant.project.slug}/").content.decode()
    assert (
        f'<a href="{address(tenant)}"><span data-show="quarantine.waiting" data-format="integer">2</span>'
        in html
    )
    viewer = member(tenant.project, Role.VIEWER).get(f"/p/{tenant.project.slug}/").content.decode()
    assert 'data-format="integer">2</span> in quarantine' in viewer
    assert address(tenant) not in viewer


def test_a_viewer_sees_no_page_and_an_analyst_changes_nothing(
    refuse: Refuse, tenant: Tenant, books: Books
) -> None:
    (row,) = refuse(BAD)
    viewer, analyst = member(tenant.project, Role.VIEWER), member(tenant.project, Role.ANALYST)
    for path in ("", str(row["id"]), "download"):
        assert viewer.get(address(tenant, path)).status_code == 403
        assert analyst.get(address(tenant, path)).status_code == 200
    for action in ("replay", "discard", "restore"):
        assert analyst.post(address(tenant, row["id"]), {"action": action, "text": GOOD}).status_code == 403
        assert (
            analyst.post(address(tenant, "act"), {"action": action, "scope": "matching"}).status_code == 403
        )
    assert analyst.post(address(tenant, row["id"]), {"action": "validate", "text": GOOD}).status_code == 200
    assert 'value="replay"' not in analyst.get(address(tenant, row["id"])).content.decode()
    assert books.rejected(tenant.id) == [row]


def test_another_projects_events_do_not_exist(refuse: Refuse, tenant: Tenant, books: Books) -> None:
    (row,) = refuse(BAD)
    other = make_tenant()
    foreign = member(other.project, Role.ADMIN)
    assert foreign.get(address(tenant)).status_code == 404
    assert foreign.get(address(other, row["id"])).status_code == 404
    assert foreign.post(address(other, row["id"]), {"action": "discard"}).status_code == 404
    form = {"action": "discard", "scope": "selected", "id": row["id"]}
    assert "0 events discarded" in foreign.post(address(other, "act"), form, follow=True).content.decode()
    assert foreign.get(address(other, f"bulks/{UUID(int=1)}")).status_code == 404
    assert books.rejected(tenant.id) == [row]


def test_the_pages_have_no_inline_script_or_style(operator: Client, refuse: Refuse, tenant: Tenant) -> None:
    (row,) = refuse(BAD)
    for path in ("", str(row["id"])):
        html = operator.get(address(tenant, path)).content.decode()
        assert " style=" not in html
        assert "<style" not in html
        assert html.count("<script") == html.count("<script src=") + html.count('<script type="module" src=')
