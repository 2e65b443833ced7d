"""The role table enforced over HTTP: every role and scope against every permission, by page and by API."""

import pytest
from django.test import Client
from rest_framework.test import APIClient

from accounts.models import Project, User
from accounts.roles import PERMISSIONS, ROLE_PERMISSIONS, SCOPE_PERMISSIONS, Role, Scope
from accounts.services import add_member, create_key, create_project, revoke_key

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.integration.accounts_site")]


@pytest.fixture
def project() -> Project:
    return create_project(slug="demo", name="Demo")


@pytest.fixture
def other() -> Project:
    return create_project(slug="other", name="Other")


def person(project: Project | None, role: Role | None, *, superuser: bool = False) -> User:
    user = User.objects.create_user("someone", is_superuser=superuser)
    if project and role:
        add_member(user=user, project=project, role=role)
    return user


@pytest.mark.parametrize("role", Role)
def test_pages_and_api_allow_a_role_exactly_its_permissions(project: Project, role: Role) -> None:
    client = Client()
    client.force_login(person(project, role))
    for permission in PERMISSIONS:
        expected = 200 if permission in ROLE_PERMISSIONS[role] else 403
        for path in ("pages/{}/demo", "class-pages/{}/demo", "api/{}", "api/{}?project=demo"):
            status = client.get("/" + path.format(permission)).status_code
            assert status == expected, (path, permission)


def test_a_superuser_may_do_everything(project: Project) -> None:
    client = Client()
    client.force_login(person(None, None, superuser=True))
    for permission in PERMISSIONS:
        assert client.get(f"/pages/{permission}/demo").status_code == 200
        assert client.get(f"/api/{permission}?project=demo").status_code == 200


@pytest.mark.parametrize("scope", Scope)
def test_the_api_allows_a_scope_exactly_its_permissions(project: Project, scope: Scope) -> None:
    key = create_key(project=project, scopes=[scope])
    client = APIClient(headers={"authorization": f"Bearer {key.text}"})
    for permission in PERMISSIONS:
        response = client.get(f"/api/{permission}")
        assert response.status_code == (200 if permission in SCOPE_PERMISSIONS[scope] else 403), permission


def test_a_stranger_does_not_learn_that_a_project_exists(project: Project, other: Project) -> None:
    client = Client()
    client.force_login(person(other, Role.ADMIN))
    for permission in PERMISSIONS:
        for path in ("pages/{}/demo", "class-pages/{}/demo", "api/{}?project=demo"):
            status = client.get("/" + path.format(permission)).status_code
            assert status == 404, (path, permission)
            assert client.get("/" + path.format(permission).replace("demo", "none")).status_code == 404


def test_somebody_who_is_not_signed_in_is_sent_to_sign_in(project: Project) -> None:
    response = Client().get("/pages/dashboard.view/demo")
    assert response.status_code == 302
    assert response["Location"] == "/accounts/login/?next=/pages/dashboard.view/demo"
    assert Client().get("/class-pages/dashboard.view/demo").status_code == 302


def test_a_deactivated_person_may_nothing(project: Project) -> None:
    user = person(project, Role.ADMIN)
    client = Client()
    client.force_login(user)
    user.is_active = False
    user.save()
    assert client.get("/pages/dashboard.view/demo").status_code == 302
    assert client.get("/api/dashboard.view").status_code == 401


def test_a_key_of_one_project_is_refused_for_another(project: Project, other: Project) -> None:
    key = create_key(project=project, scopes=list(Scope))
    client = APIClient(headers={"authorization": f"Bearer {key.text}"})
    response = client.get("/api/events.read?project=other")
    assert response.status_code == 403
    assert "another project" in response.content.decode()


def test_a_member_of_several_projects_must_name_one(project: Project, other: Project) -> None:
    user = person(project, Role.ADMIN)
    add_member(user=user, project=other, role=Role.VIEWER)
    client = Client()
    client.force_login(user)
    assert client.get("/api/keys.manage").status_code == 400
    assert client.get("/api/keys.manage?project=demo").status_code == 200
    assert client.get("/api/keys.manage?project=other").status_code == 403


@pytest.mark.parametrize(
    ("header", "detail"),
    [
        ("Bearer nonsense", "57 characters"),
        ("Bearer sg_aaaaaaaaaa_" + "A" * 43, "not known"),
        ("Bearer", "Send the key as"),
        ("Bearer  ", "Send the key as"),
        ("Basic YTpi", "Send the key as"),
        ("Bearer \xe9\xff", "57 characters"),
    ],
)
def test_a_bad_key_is_401_and_says_how_to_authenticate(header: str, detail: str) -> None:
    response = APIClient().get("/api/events.read", HTTP_AUTHORIZATION=header)
    assert response.status_code == 401
    assert response["WWW-Authenticate"].startswith("Bearer")
    assert detail in response.content.decode()


def test_no_key_at_all_is_401() -> None:
    response = APIClient().get("/api/events.read")
    assert response.status_code == 401
    assert response["WWW-Authenticate"].startswith("Bearer")


def test_a_revoked_key_is_401_and_a_key_without_the_scope_403(project: Project) -> None:
    key = create_key(project=project, scopes=[Scope.INGEST])
    client = APIClient(headers={"authorization": f"Bearer {key.text}"})
    lacking = client.get("/api/events.read")
    assert lacking.status_code == 403
    assert "a key with the scope read or manage" in lacking.content.decode()
    fresh = create_key(project=project, scopes=[Scope.READ])
    revoke_key(key=fresh.key)
    response = APIClient(headers={"authorization": f"Bearer {fresh.text}"}).get("/api/events.read")
    assert response.status_code == 401
    assert "revoked" in response.content.decode()
