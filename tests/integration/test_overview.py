"""The pages before any script runs: who gets where, and what they say."""

import pytest
from django.db import connection
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from accounts.models import Membership, Project, User
from accounts.roles import Role

pytestmark = pytest.mark.django_db


@pytest.fixture
def project() -> Project:
    return Project.objects.create(slug="river", name="The river")


@pytest.fixture
def viewer(project: Project) -> User:
    user = User.objects.create_user("ada")
    Membership.objects.create(user=user, project=project, role=Role.VIEWER)
    return user


@pytest.fixture
def page(viewer: User) -> Client:
    client = Client()
    client.force_login(viewer)
    return client


def test_signed_out_people_are_sent_to_sign_in() -> None:
    for path in ("/", "/p/river/"):
        assert Client().get(path).headers["Location"] == f"/accounts/login/?next={path}"


def test_the_start_page_leads_to_the_project(page: Client) -> None:
    assert page.get("/").headers["Location"] == "/p/river/"


def test_the_start_page_leads_to_the_project_seen_last(page: Client, viewer: User) -> None:
    later = Project.objects.create(slug="sea", name="The sea")
    Membership.objects.create(user=viewer, project=later, role=Role.VIEWER)
    page.get("/p/sea/")
    assert page.get("/").headers["Location"] == "/p/sea/"
    Membership.objects.filter(project=later).delete()
    assert page.get("/").headers["Location"] == "/p/river/"


def test_someone_without_a_project_learns_whom_to_ask() -> None:
    client = Client()
    client.force_login(User.objects.create_user("eve"))
    assert "Ask an admin of a project" in client.get("/").content.decode()


def test_a_superuser_without_a_project_is_offered_to_create_one() -> None:
    client = Client()
    client.force_login(User.objects.create_superuser("root"))
    assert "/admin/accounts/project/add/" in client.get("/").content.decode()


def test_another_project_does_not_exist_for_a_viewer(page: Client) -> None:
    Project.objects.create(slug="secret", name="Secret")
    assert page.get("/p/secret/").status_code == 404
    assert page.get("/p/nowhere/").status_code == 404


def test_the_first_html_already_has_the_figures(page: Client, project: Project) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO ingest_count (project_id, second, type, process, accepted, rejected) VALUES"
            " (%s, date_trunc('second', clock_timestamp()), 'order', gen_random_uuid(), 12345, 6)",
            [project.pk],
        )
    html = page.get("/p/river/").content.decode()
    assert ">12,345<" in html
    assert ">6<" in html
    assert ">order</th>" in html


def test_a_project_without_events_shows_how_to_send_one(page: Client) -> None:
    html = page.get("/p/river/").content.decode()
    assert "curl http://testserver/api/v1/events" in html
    assert "$STREAMGAUGE_KEY" in html
    assert "Ask an admin of this project for a key" in html


def test_an_admin_is_led_to_create_a_key(page: Client, viewer: User) -> None:
    Membership.objects.filter(user=viewer).update(role=Role.ADMIN)
    assert "Create a key" in page.get("/p/river/").content.decode()


def test_what_senders_wrote_is_escaped(page: Client, project: Project) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO rejected_event (id, project_id, received_at, request_id, position, type, code, pointer,"
            " message, raw) VALUES (gen_random_uuid(), %s, clock_timestamp(), '', 0, '<script>', 'bad', '', '', '')",
            [project.pk],
        )
    html = page.get("/p/river/").content.decode()
    assert "&lt;script&gt;" in html
    assert "<script>" not in html


def test_the_page_has_no_inline_script_or_style(page: Client) -> None:
    response = page.get("/p/river/")
    html = response.content.decode()
    assert " style=" not in html
    assert "<style" not in html
    assert " onclick=" not in html
    assert html.count("<script") == html.count("<script src=") + html.count('<script type="module" src=')
    assert "default-src 'none'" in response.headers["Content-Security-Policy"]


def test_the_page_asks_the_database_a_fixed_number_of_questions(
    page: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    page.get("/p/river/")
    with django_assert_max_num_queries(20):
        page.get("/p/river/")
