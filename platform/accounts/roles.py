"""The one table of who may do what: roles and key scopes to permissions, and the questions asked of it."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, get_args

from django.db import models
from rules.permissions import add_perm, perm_exists
from rules.predicates import Predicate

from accounts.identity import KeyPrincipal

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser

    from accounts.models import Project, User

Actor: TypeAlias = "User | AnonymousUser | KeyPrincipal"

Permission = Literal[
    "dashboard.view",
    "alerts.view",
    "events.read",
    "schemas.view",
    "rejected.view",
    "imports.view",
    "pipelines.view",
    "pipelines.edit",
    "alerts.handle",
    "alerts.edit",
    "rejected.replay",
    "imports.run",
    "events.write",
    "events.backfill",
    "members.manage",
    "keys.manage",
    "retention.manage",
    "project.edit",
    "schemas.edit",
    "audit.read",
    "platform.manage",
]
PERMISSIONS: Final[tuple[Permission, ...]] = get_args(Permission)


class Role(models.TextChoices):
    """What a member of a project is; each includes the one before it."""

    VIEWER = "viewer", "Viewer"
    ANALYST = "analyst", "Analyst"
    OPERATOR = "operator", "Operator"
    ADMIN = "admin", "Admin"


class Scope(models.TextChoices):
    """What an API key may do in its project."""

    INGEST = "ingest", "Ingest: send events"
    READ = "read", "Read: query events, windows and health"
    MANAGE = "manage", "Manage: read, and change pipelines, schemas and alert rules"
    BACKFILL = "backfill", "Backfill: send events older than the live limit"


_NOTHING: Final[frozenset[Permission]] = frozenset()
_VIEWER: Final[frozenset[Permission]] = frozenset({"dashboard.view", "alerts.view"})
_ANALYST: Final = _VIEWER | frozenset[Permission](
    {"events.read", "schemas.view", "rejected.view", "imports.view", "pipelines.view", "pipelines.edit"}
)
_OPERATOR: Final = _ANALYST | frozenset[Permission](
    {"alerts.handle", "alerts.edit", "rejected.replay", "imports.run"}
)
_ADMIN: Final = _OPERATOR | frozenset[Permission](
    {
        "events.write",
        "members.manage",
        "keys.manage",
        "retention.manage",
        "project.edit",
        "schemas.edit",
        "audit.read",
    }
)
_READ: Final = _VIEWER | frozenset[Permission](
    {"events.read", "schemas.view", "rejected.view", "imports.view", "pipelines.view"}
)

ROLE_PERMISSIONS: Final[Mapping[Role, frozenset[Permission]]] = {
    Role.VIEWER: _VIEWER,
    Role.ANALYST: _ANALYST,
    Role.OPERATOR: _OPERATOR,
    Role.ADMIN: _ADMIN,
}
# A key never manages members or keys: one that leaks must not be able to make others.
SCOPE_PERMISSIONS: Final[Mapping[Scope, frozenset[Permission]]] = {
    Scope.INGEST: frozenset({"events.write", "imports.run"}),
    Scope.READ: _READ,
    Scope.MANAGE: _READ
    | frozenset[Permission](
        {"pipelines.edit", "alerts.handle", "alerts.edit", "schemas.edit", "rejected.replay", "imports.run"}
    ),
    Scope.BACKFILL: frozenset({"events.backfill"}),
}
SUPERUSER_PERMISSIONS: Final[frozenset[Permission]] = frozenset(PERMISSIONS)


def roles_with(permission: Permission) -> list[Role]:
    """The roles that include a permission, weakest first."""
    return [role for role, granted in ROLE_PERMISSIONS.items() if permission in granted]


def key_permissions(scopes: Iterable[str]) -> frozenset[Permission]:
    """What a key with these scopes may do in its own project."""
    return _NOTHING.union(*(SCOPE_PERMISSIONS[Scope(scope)] for scope in scopes))


def scopes_allow(scopes: Iterable[str], permission: Permission) -> bool:
    return permission in key_permissions(scopes)


def permissions_of(user: Actor, project: "Project | int | None") -> frozenset[Permission]:
    """All that a person or a key may do in a project; one query for a person who is not a superuser."""
    project_id = project if isinstance(project, int) or project is None else project.pk
    if isinstance(user, KeyPrincipal):
        return key_permissions(user.identity.scopes) if user.identity.project_id == project_id else _NOTHING
    if not user.is_authenticated or not user.is_active:
        return _NOTHING
    if user.is_superuser:
        return SUPERUSER_PERMISSIONS
    if project_id is None:
        return _NOTHING
    role = user.memberships.filter(project_id=project_id).values_list("role", flat=True).first()
    return ROLE_PERMISSIONS[Role(role)] if role else _NOTHING


def has_permission(user: Actor, project: "Project | int | None", permission: Permission) -> bool:
    """Whether a person or a key may do `permission` in `project` (an instance or its id)."""
    return permission in permissions_of(user, project)


def predicate_for(permission: Permission) -> Predicate:
    """The table's answer as a `rules` predicate over (user, project)."""

    def answer(user: Actor, project: "Project | int | None") -> bool:
        return has_permission(user, project, permission)

    return Predicate(answer, name=permission)


def register_predicates() -> None:
    """Give `user.has_perm("events.read", project)` and `{% has_perm %}` the same answers as the table."""
    for permission in PERMISSIONS:
        if not perm_exists(permission):  # type: ignore[no-untyped-call]
            add_perm(permission, predicate_for(permission))  # type: ignore[no-untyped-call]
