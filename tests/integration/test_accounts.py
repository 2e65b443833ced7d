"""People, projects, members and keys: what services promise, and what the audit log keeps."""

from datetime import timedelta

import pytest
from auditlog.registry import auditlog
from django.db import DatabaseError, IntegrityError, models, transaction
from django.db.models import ProtectedError
from django.test import Client, RequestFactory
from django.utils import timezone

from accounts.audit import acting
from accounts.errors import InvalidRequest
from accounts.models import ApiKey, AuditEntry, Membership, Project, User
from accounts.roles import Role, Scope, has_permission
from accounts.selectors import projects_with
from accounts.services import add_member, create_key, create_project, remove_member, revoke_key

pytestmark = pytest.mark.django_db


@pytest.fixture
def project() -> Project:
    return create_project(slug="demo", name="Demo")


@pytest.fixture
def user() -> User:
    return User.objects.create_user("ada", password="a long enough one")


def entries(row: models.Model) -> list[AuditEntry]:
    return list(AuditEntry.objects.get_for_object(row).order_by("id"))


def test_the_user_model_is_ours_from_the_first_migration() -> None:
    assert User._meta.label == "accounts.User"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"slug": "Demo"}, "lower-case"),
        ({"slug": "-demo"}, "lower-case"),
        ({"slug": ""}, "slug"),
        ({"name": ""}, "name"),
        ({"raw_retention_days": 0}, "raw_retention_days"),
        ({"raw_retention_days": 40_000}, "raw_retention_days"),
        ({"live_limit_days": 91}, "within|between one day and the raw retention"),
    ],
)
def test_a_project_that_makes_no_sense_is_refused(values: dict[str, object], message: str) -> None:
    given: dict[str, object] = {"slug": "demo", "name": "Demo", **values}
    with pytest.raises(InvalidRequest, match=message):
        create_project(**given)  # type: ignore[arg-type]


def test_a_slug_is_taken_once(project: Project) -> None:
    with pytest.raises(InvalidRequest, match="already exists"):
        create_project(slug="demo", name="Another")


def test_a_person_has_one_role_in_a_project(project: Project, user: User) -> None:
    add_member(user=user, project=project, role=Role.VIEWER)
    add_member(user=user, project=project, role=Role.OPERATOR)
    assert [member.role for member in user.memberships.all()] == ["operator"]
    with pytest.raises(IntegrityError), transaction.atomic():
        Membership.objects.create(user=user, project=project)
    remove_member(user=user, project=project)
    assert not has_permission(user, project, "dashboard.view")


@pytest.mark.parametrize("scopes", [[], ["ingest", "root"]])
def test_a_key_needs_scopes_that_exist(project: Project, scopes: list[str]) -> None:
    with pytest.raises(InvalidRequest, match="scope"):
        create_key(project=project, scopes=scopes)
    with pytest.raises(IntegrityError), transaction.atomic():
        ApiKey.objects.create(project=project, name="x", prefix="x", digest=b"x", scopes=scopes)


def test_a_key_cannot_be_made_that_has_expired(project: Project) -> None:
    with pytest.raises(InvalidRequest, match="future"):
        create_key(project=project, scopes=["read"], expires_at=timezone.now() - timedelta(seconds=1))


def test_only_a_digest_of_a_key_is_stored(project: Project) -> None:
    created = create_key(project=project, scopes=["read", "ingest", "read"])
    stored = ApiKey.objects.filter(pk=created.key.pk).values().get()
    secret = created.text.rpartition("_")[2]
    assert not any(secret in str(value) for value in stored.values())
    assert stored["scopes"] == ["ingest", "read"]
    assert not any(secret in str(entry.changes) for entry in AuditEntry.objects.all())


def test_a_key_is_revoked_once(project: Project) -> None:
    key = create_key(project=project, scopes=[Scope.READ]).key
    assert revoke_key(key=key) is True
    first = ApiKey.objects.get(pk=key.pk).revoked_at
    assert revoke_key(key=key) is False
    assert ApiKey.objects.get(pk=key.pk).revoked_at == first


def test_projects_are_those_where_the_role_suffices(project: Project, user: User) -> None:
    other = create_project(slug="other", name="Other")
    create_project(slug="third", name="Third")
    add_member(user=user, project=project, role=Role.ADMIN)
    add_member(user=user, project=other, role=Role.VIEWER)
    assert [found.slug for found in projects_with(user, "dashboard.view")] == ["demo", "other"]
    assert [found.slug for found in projects_with(user, "keys.manage")] == ["demo"]
    user.is_active = False
    assert not projects_with(user, "dashboard.view").exists()
    assert not has_permission(user, project, "dashboard.view")


def test_every_change_is_an_audit_entry_of_its_project(project: Project, user: User) -> None:
    with acting(name="the test"):
        member = add_member(user=user, project=project, role=Role.VIEWER)
        add_member(user=user, project=project, role=Role.ADMIN)
        key = create_key(project=project, scopes=[Scope.READ]).key
        revoke_key(key=key)
        kept = [*entries(member), *entries(key)]
        member.delete()
    actions = [(entry.action, sorted(entry.changes)) for entry in kept]
    create, update = AuditEntry.Action.CREATE, AuditEntry.Action.UPDATE
    assert actions[0][0] == create
    assert actions[1] == (update, ["role"])
    assert actions[2][0] == create
    assert actions[3] == (update, ["revoked_at"])
    deleted = AuditEntry.objects.get(action=AuditEntry.Action.DELETE)
    assert {entry.project_id for entry in [*kept, deleted]} == {project.pk}
    assert {entry.actor_name for entry in [*kept, deleted]} == {"the test"}


def test_deleting_a_project_leaves_an_entry_for_each_thing_that_went(project: Project, user: User) -> None:
    add_member(user=user, project=project, role=Role.VIEWER)
    create_key(project=project, scopes=[Scope.READ])
    project_id = project.pk
    project.delete()
    gone = AuditEntry.objects.filter(action=AuditEntry.Action.DELETE, project_id=project_id)
    assert sorted(entry.content_type.model for entry in gone) == ["apikey", "membership", "project"]


def test_a_password_change_is_recorded_without_the_hash(user: User) -> None:
    user.set_password("another long one")
    user.save()
    changed = entries(user)[-1]
    assert changed.changes == {"password": ["(hidden)", "(hidden)"]}
    assert not any("md5" in str(entry.changes) for entry in entries(user))


def test_signing_in_is_no_change(user: User) -> None:
    before = len(entries(user))
    Client().force_login(user)
    assert len(entries(user)) == before


def test_the_digest_and_the_last_use_of_a_key_are_not_audited() -> None:
    assert auditlog.get_model_fields(ApiKey)["exclude_fields"] == ["digest", "last_used_at"]


def test_an_entry_names_the_user_and_address_of_its_request(project: Project, user: User) -> None:
    request = RequestFactory(headers={"x-forwarded-for": "not an address"}).get("/", REMOTE_ADDR="192.0.2.7")
    request.user = user
    with acting(request=request):
        add_member(user=user, project=project, role=Role.VIEWER)
    entry = AuditEntry.objects.latest("id")
    assert (entry.actor, entry.actor_name, entry.remote_addr) == (user, "ada", "192.0.2.7")


def test_an_actor_cannot_be_deleted_while_the_log_names_them(project: Project, user: User) -> None:
    request = RequestFactory().get("/")
    request.user = user
    with acting(request=request):
        create_project(slug="another", name="Another")
    with pytest.raises(ProtectedError):
        user.delete()


def test_the_database_refuses_to_change_or_delete_an_entry(project: Project) -> None:
    entry = entries(project)[0]
    entry.actor_name = "somebody else"
    with pytest.raises(DatabaseError, match="written once"), transaction.atomic():
        entry.save()
    with pytest.raises(DatabaseError, match="written once"), transaction.atomic():
        AuditEntry.objects.filter(pk=entry.pk).delete()
    with pytest.raises(DatabaseError, match="written once"), transaction.atomic():
        AuditEntry.objects.update(actor_name="x")
