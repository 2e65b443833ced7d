"""The pages of schemas and sanitising, as a browser without JavaScript uses them."""

import json
import re
from typing import Any

import pytest
from django.test import Client

from accounts.models import Project, User
from accounts.roles import Role
from accounts.services import add_member, create_project
from events.sanitising.models import SanitisingRule
from events.sanitising.rules import RuleText
from events.sanitising.services import add_rule
from events.schemas.models import EventSchema
from events.schemas.services import save_version

pytestmark = pytest.mark.django_db
AMOUNT = json.dumps({"type": "object", "required": ["amount"]})
PAGES = ("/p/river/schemas/", "/p/river/schemas/new/", "/p/river/sanitising/")


@pytest.fixture
def project() -> Project:
    return create_project(slug="river", name="The river")


def sign_in(project: Project, role: Role) -> Client:
    user = User.objects.create_user(role.value)
    add_member(user=user, project=project, role=role)
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def admin(project: Project) -> Client:
    return sign_in(project, Role.ADMIN)


@pytest.fixture
def schema(project: Project) -> EventSchema:
    return save_version(project_id=project.pk, event_type="order", text=AMOUNT).version.schema


def shown(response: Any) -> str:
    html: str = response.content.decode()
    return html


def test_pages_are_for_those_who_may_see_schemas(project: Project) -> None:
    analyst, viewer = sign_in(project, Role.ANALYST), sign_in(project, Role.VIEWER)
    for path in PAGES:
        assert analyst.get(path).status_code == 200
        assert viewer.get(path).status_code == 403
        assert Client().get(path).status_code == 302


def test_the_header_leads_to_both(admin: Client) -> None:
    html = shown(admin.get("/p/river/"))
    assert "/p/river/schemas/" in html
    assert "/p/river/sanitising/" in html


def test_pages_have_no_inline_script_or_style(admin: Client, schema: EventSchema) -> None:
    for path in (*PAGES, f"/p/river/schemas/{schema.pk}/"):
        html = shown(admin.get(path))
        assert " style=" not in html
        assert not re.search(r"<script(?! src)", html)


def test_a_schema_is_saved_and_shown_with_its_errors_first(admin: Client) -> None:
    path = "/p/river/schemas/new/"
    wrong = shown(admin.post(path, {"type": "order", "text": '{"type": "strin"}', "action": "save"}))
    assert "<code>/type</code> Not JSON Schema" in wrong
    assert "&quot;strin&quot;" in wrong, "what was typed is still there"
    saved = admin.post(path, {"type": "order", "text": AMOUNT, "action": "save", "note": "why"}, follow=True)
    assert "Saved as version 1." in shown(saved)
    assert "why" in shown(saved)
    assert "order" in shown(admin.get("/p/river/schemas/"))


def test_lines_are_kept_as_lines(admin: Client) -> None:
    admin.post("/p/river/schemas/new/", {"type": "order", "text": "{\r\n}\r\n", "action": "save"})
    assert EventSchema.objects.get().current.text == "{\n}\n"


def test_checking_saves_nothing(admin: Client) -> None:
    html = shown(admin.post("/p/river/schemas/new/", {"type": "order", "text": AMOUNT, "action": "check"}))
    assert "there was nothing to try it on" in html
    assert not EventSchema.objects.exists()


def test_inferring_fills_the_editor(admin: Client) -> None:
    html = shown(admin.post("/p/river/schemas/new/", {"type": "order", "text": "", "action": "infer"}))
    assert "Inferred from 0 stored events" in html
    assert "2020-12/schema" in html


def test_a_mode_is_changed_and_versions_are_compared_and_used(admin: Client, schema: EventSchema) -> None:
    path = f"/p/river/schemas/{schema.pk}/"
    assert "The mode is now: enforce." in shown(admin.post(f"{path}mode/", {"mode": "enforce"}, follow=True))
    narrower = AMOUNT.replace('"amount"', '"amount", "by"')
    refused = shown(admin.post(path, {"text": narrower, "action": "save"}))
    assert "`by` is required now." in refused
    forced = admin.post(path, {"text": narrower, "action": "save", "force": "1"}, follow=True)
    assert "Saved as version 2." in shown(forced)
    difference = shown(admin.get(f"{path}?before=1&after=2"))
    assert "difference__added" in difference
    assert "Version 1 is the current one." in shown(
        admin.post(f"{path}version/", {"version": "1"}, follow=True)
    )


@pytest.mark.parametrize("query", ["before=1&after=9", "before=x&after=1", "before=²&after=1"])
def test_a_version_that_is_not_there_is_404(admin: Client, schema: EventSchema, query: str) -> None:
    assert admin.get(f"/p/river/schemas/{schema.pk}/?{query}").status_code == 404


def test_an_analyst_checks_and_changes_nothing(project: Project, schema: EventSchema) -> None:
    analyst = sign_in(project, Role.ANALYST)
    path = f"/p/river/schemas/{schema.pk}/"
    assert "Save as a new version" not in shown(analyst.get(path))
    assert analyst.post(path, {"text": "{}", "action": "save"}).status_code == 200
    assert analyst.post(f"{path}mode/", {"mode": "enforce"}).status_code == 403
    analyst.post("/p/river/sanitising/", {"do": "drop", "path": "/data/a", "place": "path", "action": "save"})
    assert (schema.versions.count(), SanitisingRule.objects.count()) == (1, 0)


def test_another_projects_schema_and_rule_are_404(admin: Client) -> None:
    other = create_project(slug="sea", name="The sea")
    schema = save_version(project_id=other.pk, event_type="order", text=AMOUNT).version.schema
    rule = add_rule(project_id=other.pk, text=RuleText("drop", "/data/a"))
    assert admin.get(f"/p/river/schemas/{schema.pk}/").status_code == 404
    assert admin.post(f"/p/river/schemas/{schema.pk}/mode/", {"mode": "off"}).status_code == 404
    assert admin.post(f"/p/river/sanitising/{rule.pk}/", {"action": "delete"}).status_code == 404


def test_a_rule_is_previewed_before_it_is_added(admin: Client) -> None:
    form = {"do": "mask", "place": "email", "event": '{"type": "t", "data": {"to": "ada@example.com"}}'}
    html = shown(admin.post("/p/river/sanitising/", {**form, "action": "preview"}))
    assert "{&quot;type&quot;:&quot;t&quot;,&quot;data&quot;:{&quot;to&quot;:&quot;***&quot;}}" in html
    assert not SanitisingRule.objects.exists()
    added = shown(admin.post("/p/river/sanitising/", {**form, "action": "save"}, follow=True))
    assert "In force within a second: mask email." in added


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"do": "mask", "place": "path", "path": "/id"}, "hash or drop"),
        ({"do": "mask", "place": "path", "path": ""}, "Give a path"),
        ({"do": "mask", "place": "custom", "expression": "("}, "Not a regular expression"),
        ({"do": "", "place": "email"}, "Choose what"),
        ({"do": "mask", "place": "email", "event": "{", "action": "preview"}, "Not JSON"),
        ({"do": "mask", "place": "email", "event": '{"a": "\\ud800"}', "action": "preview"}, "surrogate"),
        ({"do": "mask", "place": "email", "event": '{"a":' * 900, "action": "preview"}, "nests deeper"),
    ],
)
def test_a_wrong_rule_is_explained(admin: Client, form: dict[str, str], said: str) -> None:
    assert said in shown(admin.post("/p/river/sanitising/", {"action": "save", **form}))


def test_rules_are_moved_turned_off_and_removed(project: Project, admin: Client) -> None:
    rules = [add_rule(project_id=project.pk, text=RuleText("drop", f"/data/{name}")) for name in "abc"]
    paths = [f"/p/river/sanitising/{rule.pk}/" for rule in rules]

    def order() -> list[str]:
        return [rule.path for rule in SanitisingRule.objects.all()]

    admin.post(paths[2], {"action": "up"})
    assert order() == ["/data/a", "/data/c", "/data/b"]
    admin.post(paths[0], {"action": "down"})
    assert order() == ["/data/c", "/data/a", "/data/b"]
    admin.post(paths[0], {"action": "toggle"})
    assert list(SanitisingRule.objects.filter(enabled=False).values_list("path", "name")) == [("/data/a", "")]
    assert "Removed: drop /data/a" in shown(admin.post(paths[0], {"action": "delete"}, follow=True))
    assert order() == ["/data/c", "/data/b"]
