"""The page of limits: who gets there, and what it says."""

from datetime import UTC, datetime

import pytest
from django.db import connection
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from accounts.allowances import Allowance
from accounts.models import Membership, Project, User
from accounts.roles import ROLE_PERMISSIONS, Role
from accounts.services import create_key, revoke_key

pytestmark = pytest.mark.django_db
ADDRESS = "/p/river/limits/"


@pytest.fixture
def project() -> Project:
    return Project.objects.create(slug="river", name="The river", rate_limit=500, daily_quota=1_000_000)


@pytest.fixture
def page(project: Project) -> Client:
    return signed_in(project, Role.ANALYST)


def signed_in(project: Project, role: Role, *, staff: bool = False) -> Client:
    user = User.objects.create_user(f"ada-{role}", is_staff=staff)
    Membership.objects.create(user=user, project=project, role=role)
    client = Client()
    client.force_login(user)
    return client


def text(client: Client) -> str:
    response = client.get(ADDRESS)
    assert response.status_code == 200
    return response.content.decode()


def insert_drop(
    project: Project, reason: str, key_id: int, *, hours: float, events: int, requests: int
) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO ingest_drop VALUES (%s, now() - %s * INTERVAL '1 hour', %s, %s, %s, %s)",
            [project.pk, hours, reason, key_id, events, requests],
        )


@pytest.mark.parametrize("role", Role)
def test_it_opens_for_those_who_may_see_what_was_refused(project: Project, role: Role) -> None:
    expected = 200 if "rejected.view" in ROLE_PERMISSIONS[role] else 403
    assert signed_in(project, role).get(ADDRESS).status_code == expected


def test_it_does_not_exist_for_strangers(page: Client) -> None:
    Project.objects.create(slug="sea", name="The sea")
    assert page.get("/p/sea/limits/").status_code == 404


def test_the_header_leads_to_it(page: Client) -> None:
    assert f'href="{ADDRESS}" aria-current="page"' in text(page)


def test_a_project_without_keys_and_drops_says_so(page: Client) -> None:
    shown = text(page)
    assert "no key in use" in shown
    assert "Nothing was dropped" in shown


def test_it_shows_the_limits_of_the_project_and_of_keys_in_use(page: Client, project: Project) -> None:
    create_key(
        project=project,
        scopes=["ingest"],
        name="the gauge",
        allowance=Allowance(rate=70, daily=9_000),
        allowed_types=["level.*"],
        allowed_addresses=["192.0.2.0/24"],
        expires_at=datetime(2099, 1, 31, 12, tzinfo=UTC),
    )
    revoke_key(key=create_key(project=project, scopes=["ingest"], name="old key").key)
    shown = text(page)
    for expected in (
        ">500<",
        ">1,000,000<",
        "the gauge",
        ">700<",
        ">9,000<",
        "level.*",
        "192.0.2.0/24",
        "2099-01-31",
    ):
        assert expected in shown
    assert "old key" not in shown


def test_it_shows_how_much_of_today_s_quota_is_used(page: Client, project: Project) -> None:
    key = create_key(project=project, scopes=["ingest"], allowance=Allowance(daily=9_000)).key
    with connection.cursor() as cursor:
        for days, events in ((0, 4_321), (1, 77)):
            cursor.execute(
                "INSERT INTO ingest_usage"
                " VALUES (%s, (now() AT TIME ZONE 'UTC')::date - %s, %s, gen_random_uuid(), %s)",
                [project.pk, days, key.pk, events],
            )
    shown = text(page)
    assert '<progress max="9000" value="4321">' in shown
    assert '<progress max="1000000" value="4321">' in shown


def test_it_counts_drops_of_a_quarter_of_an_hour_and_of_a_day(page: Client, project: Project) -> None:
    key = create_key(project=project, scopes=["ingest"], name="the gauge").key
    insert_drop(project, "rate_limited", key.pk, hours=0.1, events=200, requests=2)
    insert_drop(project, "rate_limited", key.pk, hours=20, events=3_000, requests=30)
    insert_drop(project, "rate_limited", key.pk, hours=25, events=50_000, requests=500)
    insert_drop(project, "body_too_large", 999_999, hours=3, events=0, requests=7)
    cells = text(page).replace('<td class="number">', "|").replace("</td>", "")
    assert ">rate_limited</span><td>the gauge|200|2|3,200|32" in cells
    assert ">body_too_large</span><td>#999999|0|0|0|7" in cells


def test_what_people_named_is_escaped(page: Client, project: Project) -> None:
    create_key(project=project, scopes=["ingest"], name="<script>x</script>")
    assert "<script>x" not in text(page)


def test_an_admin_of_the_staff_is_led_to_change_them(project: Project) -> None:
    admin_link = f"/admin/accounts/project/{project.pk}/change/"
    assert admin_link in text(signed_in(project, Role.ADMIN, staff=True))
    assert admin_link not in text(signed_in(project, Role.OPERATOR, staff=True))


def test_it_asks_the_database_a_fixed_number_of_questions(
    page: Client, project: Project, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(20):
        key = create_key(project=project, scopes=["ingest"]).key
        insert_drop(project, f"reason_{number}", key.pk, hours=1, events=1, requests=1)
    with django_assert_max_num_queries(12):
        page.get(ADDRESS)
