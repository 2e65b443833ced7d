"""The admin: who sees and changes what, the key that is shown once, and the log that nobody edits."""

import re

import pytest
from allauth.mfa.models import Authenticator
from django.contrib import admin
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.admin_base import MAX_COUNTED, BoundedPaginator
from accounts.key_reader import KeyReader
from accounts.models import ApiKey, AuditEntry, Membership, Project, User
from accounts.roles import ROLE_PERMISSIONS, Permission, Role
from accounts.services import CreatedKey, add_member, create_key, create_project

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.integration.accounts_site")]

PAGES: dict[str, Permission] = {
    "project": "project.edit",
    "membership": "members.manage",
    "apikey": "keys.manage",
    "auditentry": "audit.read",
}


@pytest.fixture
def mine() -> Project:
    return create_project(slug="mine", name="Mine")


@pytest.fixture
def theirs() -> Project:
    return create_project(slug="theirs", name="Theirs")


@pytest.fixture
def root() -> Client:
    return signed_in(User.objects.create_superuser("root", password="x"))


@pytest.fixture
def my_key(mine: Project) -> CreatedKey:
    return create_key(project=mine, scopes=["read"], name="my key")


@pytest.fixture
def their_key(theirs: Project) -> CreatedKey:
    return create_key(project=theirs, scopes=["read"], name="their key")


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def staff(project: Project, role: Role) -> Client:
    user = User.objects.create_user(f"staff-{role}", is_staff=True)
    add_member(user=user, project=project, role=role)
    return signed_in(user)


def url(page: str, name: str, *args: object) -> str:
    return reverse(f"admin:accounts_{page}_{name}", args=args)


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("listing", PAGES)
def test_a_list_opens_for_staff_with_the_permission_only(mine: Project, role: Role, listing: str) -> None:
    expected = 200 if PAGES[listing] in ROLE_PERMISSIONS[role] else 403
    assert staff(mine, role).get(url(listing, "changelist")).status_code == expected


@pytest.mark.parametrize("role", [None, *Role])
def test_without_staff_nobody_gets_in(mine: Project, role: Role | None) -> None:
    user = User.objects.create_user("somebody")
    if role:
        add_member(user=user, project=mine, role=role)
    assert signed_in(user).get(url("apikey", "changelist")).status_code == 302
    assert signed_in(user).get("/admin/login/").status_code == 403


def test_an_admin_of_one_project_sees_only_what_is_theirs(
    mine: Project, my_key: CreatedKey, their_key: CreatedKey, theirs: Project
) -> None:
    client = staff(mine, Role.ADMIN)
    add_member(user=User.objects.create_user("stranger"), project=theirs, role=Role.VIEWER)
    assert b"my key" in (page := client.get(url("apikey", "changelist")).content)
    assert b"their key" not in page
    assert b"stranger" not in client.get(url("membership", "changelist")).content
    assert b"Theirs" not in client.get(url("project", "changelist")).content
    audit = client.get(url("auditentry", "changelist")).content
    assert b"my key" in audit
    assert b"their key" not in audit
    assert b"Theirs" not in audit


def test_an_admin_of_one_project_reaches_nothing_of_another_by_its_address(
    mine: Project, theirs: Project, their_key: CreatedKey
) -> None:
    client = staff(mine, Role.ADMIN)
    member = add_member(user=User.objects.create_user("stranger"), project=theirs, role=Role.VIEWER)
    entry = AuditEntry.objects.filter(project_id=theirs.pk).latest("id")
    rows = [("project", theirs), ("membership", member), ("apikey", their_key.key), ("auditentry", entry)]
    for page, row in rows:
        for name in ("change", "delete", "history"):
            response = client.get(url(page, name, row.pk))
            assert response.status_code in (302, 403), (page, name)
    client.post(url("membership", "change", member.pk), {"role": "admin"})
    client.post(url("membership", "delete", member.pk), {"post": "yes"})
    member.refresh_from_db()
    assert member.role == Role.VIEWER


def test_an_admin_of_one_project_cannot_make_keys_or_members_in_another(
    mine: Project, theirs: Project
) -> None:
    client = staff(mine, Role.ADMIN)
    form = {"project": theirs.pk, "name": "x", "scopes": ["read"], "expires_at_0": "", "expires_at_1": ""}
    response = client.post(url("apikey", "add"), form)
    assert b"not one of the available choices" in response.content
    User.objects.create_user("somebody")
    member = {"project": theirs.pk, "username": "somebody", "role": "admin"}
    assert b"not one of the available choices" in client.post(url("membership", "add"), member).content
    assert not ApiKey.objects.exists()
    assert not theirs.memberships.exists()


def test_bulk_actions_reach_only_what_is_theirs(
    mine: Project, my_key: CreatedKey, their_key: CreatedKey
) -> None:
    client = staff(mine, Role.ADMIN)
    for action in ("revoke", "delete_selected"):
        both = [my_key.key.pk, their_key.key.pk]
        client.post(url("apikey", "changelist"), {"action": action, "_selected_action": both, "post": "yes"})
    assert list(ApiKey.objects.values_list("name", "revoked_at")) == [("their key", None)]


def test_people_are_for_superusers(mine: Project, root: Client) -> None:
    client = staff(mine, Role.ADMIN)
    for name in ("changelist", "add"):
        assert client.get(url("user", name)).status_code == 403
        assert root.get(url("user", name)).status_code == 200


def test_staff_cannot_make_or_delete_projects(mine: Project, root: Client) -> None:
    client = staff(mine, Role.ADMIN)
    assert client.get(url("project", "add")).status_code == 403
    assert client.get(url("project", "delete", mine.pk)).status_code == 403
    assert root.get(url("project", "add")).status_code == 200


def test_a_new_key_is_shown_once_and_never_again(mine: Project) -> None:
    client = staff(mine, Role.ADMIN)
    form = {
        "project": mine.pk,
        "name": "sender",
        "scopes": ["ingest"],
        "expires_at_0": "",
        "expires_at_1": "",
    }
    response = client.post(url("apikey", "add"), form)
    found = re.search(r"sg_[a-z2-7]{10}_[A-Za-z0-9_-]{43}", response.content.decode())
    assert found
    assert "no-store" in response["Cache-Control"]
    assert "sg_" not in str(client.cookies)
    key = ApiKey.objects.get()
    assert KeyReader().resolve(found[0]).key_id == key.pk
    assert key.created_by is not None
    for page in (
        url("apikey", "changelist"),
        url("apikey", "change", key.pk),
        url("auditentry", "changelist"),
    ):
        content = client.get(page).content.decode()
        assert found[0] not in content
        assert bytes(key.digest).hex() not in content
    assert key.prefix in client.get(url("apikey", "change", key.pk)).content.decode()


def test_a_key_that_makes_no_sense_is_refused_with_a_reason(mine: Project) -> None:
    client = staff(mine, Role.ADMIN)
    form = {"project": mine.pk, "name": "x", "expires_at_0": "2001-01-01", "expires_at_1": "00:00"}
    content = client.post(url("apikey", "add"), form).content
    assert b"This time has passed" in content
    assert b"This field is required" in content


def test_limits_are_changed_in_the_admin_and_in_the_audit_log(mine: Project, my_key: CreatedKey) -> None:
    client = staff(mine, Role.ADMIN)
    form = {
        "project": mine.pk, "name": "my key", "scopes": ["ingest"], "expires_at_0": "", "expires_at_1": "",
        "rate_limit": "100", "rate_burst": "", "daily_quota": "5000", "allowed_types": "order.*, ping",
        "allowed_addresses": "192.0.2.7, 2001:db8::/32",
    }  # fmt: skip
    assert client.post(url("apikey", "change", my_key.key.pk), form).status_code == 302
    key = ApiKey.objects.get(pk=my_key.key.pk)
    assert (key.rate_limit, key.rate_burst, key.daily_quota) == (100, None, 5000)
    assert (key.allowed_types, key.allowed_addresses) == (
        ["order.*", "ping"],
        ["192.0.2.7/32", "2001:db8::/32"],
    )
    assert {"rate_limit", "daily_quota", "allowed_types", "allowed_addresses"} <= set(
        AuditEntry.objects.latest("id").changes
    )
    page = client.post(url("apikey", "change", my_key.key.pk), {**form, "allowed_addresses": "192.0.2.7/24"})
    assert b"is no address or network" in page.content
    project = {"name": "Mine", "raw_retention_days": "90", "live_limit_days": "", "rate_limit": "7",
               "rejected_retention_days": "30"}  # fmt: skip
    page = client.post(url("project", "change", mine.pk), {**project, "rate_limit": "", "rate_burst": "9"})
    assert b"A burst needs a rate limit" in page.content
    assert client.post(url("project", "change", mine.pk), project).status_code == 302
    mine.refresh_from_db()
    assert mine.rate_limit == 7


def test_revoking_is_an_action_and_an_audit_entry(mine: Project, my_key: CreatedKey) -> None:
    client = staff(mine, Role.ADMIN)
    chosen = {"action": "revoke", "_selected_action": [my_key.key.pk]}
    response = client.post(url("apikey", "changelist"), chosen, follow=True)
    assert b"Revoked 1 key(s)" in response.content
    my_key.key.refresh_from_db()
    assert my_key.key.revoked_at is not None
    entry = AuditEntry.objects.latest("id")
    assert (list(entry.changes), entry.actor_name) == (["revoked_at"], "staff-admin")


def test_a_revoked_key_can_no_longer_be_changed(mine: Project, my_key: CreatedKey) -> None:
    client = staff(mine, Role.ADMIN)
    client.post(url("apikey", "changelist"), {"action": "revoke", "_selected_action": [my_key.key.pk]})
    response = client.post(url("apikey", "change", my_key.key.pk), {"name": "x", "scopes": ["manage"]})
    assert response.status_code == 403


def test_a_key_or_member_cannot_be_moved_to_another_project(
    root: Client, mine: Project, theirs: Project, my_key: CreatedKey
) -> None:
    form = {
        "project": theirs.pk, "name": "renamed", "scopes": ["read"], "expires_at_0": "", "expires_at_1": "",
    }  # fmt: skip
    root.post(url("apikey", "change", my_key.key.pk), form)
    my_key.key.refresh_from_db()
    assert (my_key.key.name, my_key.key.project) == ("renamed", mine)


def test_members_are_added_by_user_name(mine: Project) -> None:
    client = staff(mine, Role.ADMIN)
    User.objects.create_user("ada")
    form = {"project": mine.pk, "username": "ada", "role": "operator"}
    assert client.post(url("membership", "add"), form).status_code == 302
    assert Membership.objects.get(user__username="ada").role == Role.OPERATOR
    assert b"change the role instead" in client.post(url("membership", "add"), form).content
    form["username"] = "nobody"
    assert b"Nobody has this user name" in client.post(url("membership", "add"), form).content


def test_not_even_a_superuser_can_add_change_or_delete_an_audit_entry(root: Client, mine: Project) -> None:
    entry = AuditEntry.objects.earliest("id")
    before = AuditEntry.objects.filter(pk=entry.pk).values().get()
    assert root.get(url("auditentry", "changelist")).status_code == 200
    assert root.get(url("auditentry", "change", entry.pk)).status_code == 200
    assert root.get(url("auditentry", "add")).status_code == 403
    assert root.get(url("auditentry", "delete", entry.pk)).status_code == 403
    assert root.post(url("auditentry", "change", entry.pk), {"actor_name": "x"}).status_code == 403
    assert root.post(url("auditentry", "delete", entry.pk), {"post": "yes"}).status_code == 403
    root.post(
        url("auditentry", "changelist"),
        {"action": "delete_selected", "_selected_action": [entry.pk], "post": "yes"},
    )
    assert AuditEntry.objects.filter(pk=entry.pk).values().get() == before


def test_a_user_whom_the_log_names_cannot_be_deleted(root: Client) -> None:
    root.post(
        url("project", "add"),
        {"slug": "p", "name": "P", "raw_retention_days": 90, "rejected_retention_days": 30},
    )
    user = User.objects.get(username="root")
    assert b"Cannot delete user" in root.get(url("user", "delete", user.pk)).content
    root.post(url("user", "delete", user.pk), {"post": "yes"})
    assert User.objects.filter(pk=user.pk).exists()


def test_a_project_can_be_deleted_by_a_superuser_with_all_it_holds(
    root: Client, mine: Project, my_key: CreatedKey
) -> None:
    assert root.post(url("project", "delete", mine.pk), {"post": "yes"}).status_code == 302
    assert not ApiKey.objects.exists()


def test_the_secret_of_a_second_factor_is_not_shown(root: Client) -> None:
    user = User.objects.get(username="root")
    factor = Authenticator.objects.create(user=user, type="totp", data={"secret": "JBSWY3DP"})
    page = root.get(reverse("admin:mfa_authenticator_change", args=[factor.pk]))
    assert page.status_code == 200
    assert b"JBSWY3DP" not in page.content
    assert b"JBSWY3DP" not in root.get(url("auditentry", "changelist")).content


@pytest.mark.parametrize("listing", ["user", *PAGES])
def test_lists_neither_count_whole_tables_nor_query_for_each_row(
    root: Client, mine: Project, listing: str
) -> None:
    for number in range(30):
        user = User.objects.create_user(f"user{number}")
        add_member(user=user, project=mine, role=Role.VIEWER)
        create_key(project=mine, scopes=["read"])
        create_project(slug=f"project{number}", name="P")
    with CaptureQueriesContext(connection) as queries:
        assert root.get(url(listing, "changelist")).status_code == 200
    assert len(queries) <= 12
    counts = [query["sql"] for query in queries if "COUNT(" in query["sql"]]
    assert counts
    assert all(f"LIMIT {MAX_COUNTED}" in sql for sql in counts)


def test_every_list_of_ours_counts_within_a_bound() -> None:
    ours = [model for model in admin.site._registry if model._meta.app_label in ("accounts", "mfa")]
    assert {admin.site._registry[model].paginator for model in ours} == {BoundedPaginator}


def test_the_index_shows_each_what_they_may(root: Client, mine: Project) -> None:
    assert b"Audit entries" in root.get("/admin/").content
    page = staff(mine, Role.ADMIN).get("/admin/").content
    assert b"API keys" in page
    assert b"Users" not in page
    assert staff(mine, Role.VIEWER).get("/admin/").status_code == 200
