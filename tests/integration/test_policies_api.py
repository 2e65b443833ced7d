"""/api/v1/schemas and /api/v1/sanitising: who may do what, what they answer, and that every change is audited."""

import json
from typing import Any

import pytest
from rest_framework.test import APIClient

from accounts.models import AuditEntry, PolicyVersion, Project, User
from accounts.roles import Role
from accounts.services import add_member, create_key, create_project

pytestmark = pytest.mark.django_db
AMOUNT = {"type": "object", "required": ["amount"], "properties": {"amount": {"type": "number"}}}
PATHS = ("/api/v1/schemas", "/api/v1/sanitising")


@pytest.fixture
def project() -> Project:
    return create_project(slug="demo", name="Demo")


def client(project: Project, *scopes: str) -> APIClient:
    key = create_key(project=project, scopes=scopes)
    return APIClient(headers={"authorization": f"Bearer {key.text}"})


@pytest.fixture
def manage(project: Project) -> APIClient:
    return client(project, "manage")


def post(api: APIClient, path: str, body: Any) -> Any:
    return api.post(path, body, format="json")


def body_of(response: Any) -> Any:
    return json.loads(response.content)


def test_reading_needs_read_and_changing_needs_manage(project: Project) -> None:
    for path in PATHS:
        assert client(project, "read").get(path).status_code == 200
        assert client(project, "ingest").get(path).status_code == 403
        assert post(client(project, "read"), path, {}).status_code == 403
        assert APIClient().get(path).status_code == 401


@pytest.mark.parametrize("role", [Role.VIEWER, Role.ANALYST, Role.ADMIN])
def test_people_ask_by_their_role(project: Project, role: Role) -> None:
    user = User.objects.create_user("ada")
    add_member(user=user, project=project, role=role)
    api = APIClient()
    api.force_login(user)
    for path in PATHS:
        assert api.get(path).status_code == (403 if role == Role.VIEWER else 200)
        assert post(api, path, {}).status_code == (400 if role == Role.ADMIN else 403)


def test_a_schema_is_made_listed_versioned_and_enforced(project: Project, manage: APIClient) -> None:
    made = post(manage, "/api/v1/schemas", {"type": "order", "schema": AMOUNT, "note": "first"})
    assert (made.status_code, made.json()["version"], made.json()["mode"]) == (201, 1, "off")
    path = f"/api/v1/schemas/{made.json()['id']}"
    narrower = {**AMOUNT, "required": ["amount", "by"]}
    second = post(manage, "/api/v1/schemas", {"type": "order", "schema": narrower})
    assert second.json()["findings"] == [
        {"level": "breaking", "pointer": "/required", "message": "`by` is required now."}
    ]
    assert manage.put(f"{path}/mode", {"mode": "enforce"}, format="json").json()["mode"] == "enforce"
    back = manage.put(f"{path}/version", {"version": 1}, format="json").json()
    assert (back["version"], back["schema"]) == (1, AMOUNT)
    assert [version["version"] for version in back["versions"]] == [2, 1]
    assert back["versions"][1]["note"] == "first"
    assert [each["type"] for each in manage.get("/api/v1/schemas").json()] == ["order"]


def test_a_refused_version_is_409_with_findings(project: Project, manage: APIClient) -> None:
    made = post(manage, "/api/v1/schemas", {"type": "order", "schema": AMOUNT})
    manage.put(f"/api/v1/schemas/{made.json()['id']}/mode", {"mode": "enforce"}, format="json")
    refused = post(manage, "/api/v1/schemas", {"type": "order", "schema": {"additionalProperties": False}})
    problem = body_of(refused)
    assert (refused.status_code, problem["code"]) == (409, "schema_refused")
    assert problem["errors"][0]["code"] == "breaking"


@pytest.mark.parametrize(
    ("sent", "status", "pointer"),
    [
        ({"type": "order", "schema": {"type": "strin"}}, 422, "/type"),
        ({"type": "order", "schema": [1]}, 422, ""),
        ({"type": "or der", "schema": {}}, 422, "/type"),
        ({"schema": {}}, 400, "/type"),
        ({"type": "order"}, 400, "/schema"),
    ],
)
def test_a_bad_schema_is_refused_with_pointers(
    manage: APIClient, sent: Any, status: int, pointer: str
) -> None:
    refused = post(manage, "/api/v1/schemas", sent)
    assert refused.status_code == status
    assert refused.headers["Content-Type"] == "application/problem+json"
    assert body_of(refused)["errors"][0]["pointer"] == pointer


@pytest.mark.parametrize("body", [b"{", b"[" * 100_000, b'{"type": 1, "type": 2}', b'{"a": NaN}', b"\xff"])
@pytest.mark.parametrize("path", PATHS)
def test_a_body_that_is_not_strict_json_is_400(manage: APIClient, path: str, body: bytes) -> None:
    assert manage.post(path, body, content_type="application/json").status_code == 400


def test_another_projects_schemas_and_rules_are_not_there(project: Project, manage: APIClient) -> None:
    other = client(create_project(slug="other", name="Other"), "manage")
    schema = post(other, "/api/v1/schemas", {"type": "order", "schema": {}}).json()["id"]
    rule = post(other, "/api/v1/sanitising", {"action": "drop", "path": "/data/a"}).json()["id"]
    assert manage.get(f"/api/v1/schemas/{schema}").status_code == 404
    assert manage.put(f"/api/v1/schemas/{schema}/mode", {"mode": "off"}, format="json").status_code == 404
    assert manage.put(f"/api/v1/schemas/{schema}/version", {"version": 1}, format="json").status_code == 404
    assert manage.get(f"/api/v1/sanitising/{rule}").status_code == 404
    assert manage.delete(f"/api/v1/sanitising/{rule}").status_code == 404
    assert manage.get("/api/v1/schemas").json() == manage.get("/api/v1/sanitising").json() == []


def test_a_schema_is_checked_and_inferred_without_saving_anything(manage: APIClient) -> None:
    checked = post(manage, "/api/v1/schemas/check", {"type": "order", "schema": AMOUNT}).json()
    assert checked == {
        "findings": [],
        "trial": {"checked": 0, "failing": 0, "since": None, "examples": []},
    }
    inferred = post(manage, "/api/v1/schemas/infer", {"type": "order"}).json()
    assert inferred["events"] == 0
    assert manage.get("/api/v1/schemas").json() == []


def test_rules_are_made_changed_and_removed(project: Project, manage: APIClient) -> None:
    first = post(manage, "/api/v1/sanitising", {"action": "hash", "path": "/data/email"}).json()
    second = post(
        manage, "/api/v1/sanitising", {"action": "mask", "pattern": "email", "name": "Emails"}
    ).json()
    assert second["position"] > first["position"]
    path = f"/api/v1/sanitising/{second['id']}"
    moved = manage.put(path, {"action": "mask", "pattern": "ip", "position": 0}, format="json")
    assert (moved.json()["pattern"], moved.json()["position"]) == ("ip", 0)
    assert [rule["id"] for rule in manage.get("/api/v1/sanitising").json()] == [second["id"], first["id"]]
    assert manage.delete(path).status_code == 204
    assert PolicyVersion.objects.get(project=project).version == 4


@pytest.mark.parametrize(
    ("sent", "pointer"),
    [
        ({"action": "mask", "path": "/id"}, "/action"),
        ({"action": "drop"}, "/path"),
        ({"action": "drop", "path": "data"}, "/path"),
        ({"action": "drop", "pattern": "custom", "expression": "("}, "/expression"),
    ],
)
def test_a_rule_that_would_harm_is_422_with_its_field(manage: APIClient, sent: Any, pointer: str) -> None:
    refused = post(manage, "/api/v1/sanitising", sent)
    assert (refused.status_code, body_of(refused)["code"]) == (422, "rule_invalid")
    assert body_of(refused)["errors"][0]["pointer"] == pointer


def test_a_preview_shows_each_rule(manage: APIClient) -> None:
    rules = [{"action": "drop", "path": "/data/a", "name": "a"}, {"action": "mask", "pattern": "email"}]
    events = [{"type": "t", "data": {"a": 1, "b": "ada@example.com"}}]
    (shown,) = post(manage, "/api/v1/sanitising/preview", {"events": events, "rules": rules}).json()
    assert shown["before"] == events[0]
    assert shown["after"] == {"type": "t", "data": {"b": "***"}}
    assert [(step["rule"], step["changed"]) for step in shown["steps"]] == [("a", True), ("mask email", True)]
    assert shown["steps"][0]["after"]["data"] == {"b": "ada@example.com"}
    assert manage.get("/api/v1/sanitising").json() == []


def test_a_preview_takes_the_projects_rules_and_last_events(manage: APIClient) -> None:
    assert post(manage, "/api/v1/sanitising/preview", {}).json() == []
    refused = post(manage, "/api/v1/sanitising/preview", {"events": [1]})
    assert (refused.status_code, body_of(refused)["code"]) == (422, "rule_invalid")


def test_every_change_is_audited(project: Project, manage: APIClient) -> None:
    made = post(manage, "/api/v1/schemas", {"type": "order", "schema": {}}).json()
    manage.put(f"/api/v1/schemas/{made['id']}/mode", {"mode": "warn"}, format="json")
    rule = post(manage, "/api/v1/sanitising", {"action": "drop", "path": "/data/a"}).json()
    manage.delete(f"/api/v1/sanitising/{rule['id']}")
    entries = AuditEntry.objects.filter(project_id=project.pk, content_type__app_label="events")
    assert entries.filter(content_type__model="eventschema", changes__has_key="mode").exists()
    assert entries.filter(content_type__model="schemaversion", action=AuditEntry.Action.CREATE).exists()
    assert entries.filter(content_type__model="sanitisingrule", action=AuditEntry.Action.DELETE).exists()
    assert all(entry.actor_name.startswith("key ") for entry in entries)


def test_the_openapi_document_describes_them() -> None:
    answer = APIClient().get("/api/v1/schema", headers={"Accept": "application/vnd.oai.openapi+json"})
    document = json.loads(answer.content)
    for path in ("/api/v1/schemas", "/api/v1/schemas/{schema_id}/mode", "/api/v1/sanitising/preview"):
        assert path in document["paths"]
