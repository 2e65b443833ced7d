"""The health addresses."""

import pytest
from django.test import Client
from pytest_django import Settings

from accounts.models import Project, User
from accounts.services import create_key
from monitoring import health, views

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_process_that_answers_is_live() -> None:
    response = Client().get("/health/live")
    assert (response.status_code, response.json()) == (200, {"status": "ok"})
    assert "no-cache" in response.headers["Cache-Control"]


def test_a_process_with_a_migrated_database_is_ready() -> None:
    assert Client().get("/health/ready").json() == {"status": "ok"}


def test_it_is_not_ready_while_migrations_are_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "is_migrated", lambda: False)
    response = Client().get("/health/ready")
    assert response.status_code == 503
    assert "manage.py migrate" in response.json()["detail"]


def test_it_is_not_ready_when_the_database_takes_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(views, "READY_SECONDS", 0.0)
    response = Client().get("/health/ready")
    assert (response.status_code, response.headers["Retry-After"]) == (503, "1")


def test_the_components_need_a_sign_in_or_a_key() -> None:
    assert Client().get("/health/").status_code == 401


def test_the_components_are_shown_to_people() -> None:
    client = Client()
    client.force_login(User.objects.create_user("ada"))
    body = client.get("/health/").json()
    assert body["status"] == "ok"
    assert set(body["components"]) == {"database", "redis", "processing", "spool"}


@pytest.mark.parametrize(("scope", "status"), [("read", 200), ("ingest", 403)])
def test_the_components_are_shown_to_keys_with_the_scope_read(scope: str, status: int) -> None:
    project = Project.objects.create(slug="river", name="River")
    key = create_key(project=project, scopes=[scope]).text
    response = Client().get("/health/", headers={"Authorization": f"Bearer {key}"})
    assert response.status_code == status


def test_without_redis_it_is_degraded_and_not_down(settings: Settings) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    client = Client()
    client.force_login(User.objects.create_user("ada"))
    response = client.get("/health/")
    assert response.status_code == 200
    assert response.json()["components"]["redis"]["status"] == "degraded"
