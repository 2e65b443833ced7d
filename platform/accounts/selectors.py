"""Reads of people, projects and keys."""

from collections.abc import Collection, Iterable
from datetime import timedelta
from typing import TYPE_CHECKING

from django.db import connection
from django.db.models import QuerySet

from accounts.errors import InvalidRequest
from accounts.identity import KeyIdentity
from accounts.key_table import SELECT_KEYS, key_row
from accounts.models import ApiKey, PolicyVersion, Project, User
from accounts.roles import Permission, roles_with

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser


def projects_with(user: "User | AnonymousUser", permission: Permission) -> QuerySet[Project]:
    """The projects where a person has a permission; all for a superuser."""
    if not isinstance(user, User) or not user.is_active:
        return Project.objects.none()
    if user.is_superuser:
        return Project.objects.all()
    roles = roles_with(permission)
    return Project.objects.filter(memberships__user=user, memberships__role__in=roles)


def projects_of(user: "User | AnonymousUser") -> QuerySet[Project]:
    """The projects a person may open."""
    return projects_with(user, "dashboard.view")


def get_project(slug: str) -> Project:
    """A project by its slug. Raises InvalidRequest, naming those there are."""
    if project := Project.objects.filter(slug=slug).first():
        return project
    there_are = ", ".join(Project.objects.values_list("slug", flat=True)[:10]) or "none yet"
    raise InvalidRequest(f"There is no project {slug!r}. Projects: {there_are}.")


def get_key(reference: str) -> ApiKey:
    """A key by its id, its prefix, or `sg_` and its prefix. Raises InvalidRequest."""
    name = reference.removeprefix("sg_").partition("_")[0]
    keys = ApiKey.objects.select_related("project")
    found = keys.filter(prefix=name).first()
    if found is None and name.isascii() and name.isdigit() and len(name) < 19:
        found = keys.filter(pk=int(name)).first()
    if found is None:
        raise InvalidRequest(f"There is no key {reference!r}. `manage.py keys list` shows those there are.")
    return found


def list_keys(*, projects: Iterable[Project] | None = None) -> QuerySet[ApiKey]:
    """Keys with their projects, newest first."""
    keys = ApiKey.objects.select_related("project", "created_by")
    return keys if projects is None else keys.filter(project__in=projects)


def sender_identities(*, project_id: int, key_ids: Collection[int]) -> dict[int | None, KeyIdentity]:
    """The keys' identities as they are now, revoked ones too, by id; under None one for events without a key.

    For judging what a project's keys sent before, never for letting anybody in.
    """
    project = Project.objects.get(pk=project_id)
    policy = PolicyVersion.objects.filter(project=project).values_list("version", flat=True).first()
    nobody = KeyIdentity(
        key_id=0,
        prefix="",
        project_id=project.pk,
        project_slug=project.slug,
        scopes=frozenset({"ingest"}),
        expires_at=None,
        raw_retention_days=project.raw_retention_days,
        live_limit_days=project.live_limit_days,
        policy_version=policy or 0,
    )
    found: dict[int | None, KeyIdentity] = {None: nobody}
    if key_ids:
        keys = ApiKey.objects.filter(project=project, pk__in=key_ids)
        with connection.cursor() as cursor:
            cursor.execute(SELECT_KEYS, {"prefixes": list(keys.values_list("prefix", flat=True))})
            identities = [key_row(row).identity for row in cursor.fetchall()]
        found |= {identity.key_id: identity for identity in identities}
    return found


def rejected_retentions() -> dict[int, timedelta]:
    """How long each project keeps its refused events."""
    rows = Project.objects.values_list("pk", "rejected_retention_days")
    return {project_id: timedelta(days=days) for project_id, days in rows}
