"""Reads of people, projects and keys."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from django.db.models import QuerySet

from accounts.errors import InvalidRequest
from accounts.models import ApiKey, Project, User
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
