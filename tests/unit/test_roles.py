"""The role table, cell by cell, against what interfaces.md promises."""

from datetime import UTC, datetime

import pytest

from accounts.identity import KeyIdentity, KeyPrincipal
from accounts.roles import (
    PERMISSIONS,
    ROLE_PERMISSIONS,
    SCOPE_PERMISSIONS,
    SUPERUSER_PERMISSIONS,
    Permission,
    Role,
    Scope,
    has_permission,
    key_permissions,
    roles_with,
)

# The weakest role with each permission, written a second time by hand: a slip in the table must show.
WEAKEST: dict[Permission, Role | None] = {
    "dashboard.view": Role.VIEWER,
    "alerts.view": Role.VIEWER,
    "events.read": Role.ANALYST,
    "schemas.view": Role.ANALYST,
    "rejected.view": Role.ANALYST,
    "imports.view": Role.ANALYST,
    "pipelines.view": Role.ANALYST,
    "pipelines.edit": Role.ANALYST,
    "alerts.handle": Role.OPERATOR,
    "alerts.edit": Role.OPERATOR,
    "rejected.replay": Role.OPERATOR,
    "imports.run": Role.OPERATOR,
    "events.write": Role.ADMIN,
    "members.manage": Role.ADMIN,
    "keys.manage": Role.ADMIN,
    "retention.manage": Role.ADMIN,
    "project.edit": Role.ADMIN,
    "schemas.edit": Role.ADMIN,
    "audit.read": Role.ADMIN,
    "events.backfill": None,
    "platform.manage": None,
}
SCOPES: dict[Scope, set[Permission]] = {
    Scope.INGEST: {"events.write", "imports.run"},
    Scope.READ: {
        "dashboard.view",
        "alerts.view",
        "events.read",
        "schemas.view",
        "rejected.view",
        "imports.view",
        "pipelines.view",
    },
    Scope.MANAGE: {
        "dashboard.view",
        "alerts.view",
        "events.read",
        "schemas.view",
        "schemas.edit",
        "rejected.view",
        "rejected.replay",
        "imports.view",
        "imports.run",
        "pipelines.view",
        "pipelines.edit",
        "alerts.handle",
        "alerts.edit",
    },
    Scope.BACKFILL: {"events.backfill"},
}
ORDER = list(Role)


def principal(*scopes: Scope, project_id: int = 1) -> KeyPrincipal:
    expires = datetime(2030, 1, 1, tzinfo=UTC)
    return KeyPrincipal(KeyIdentity(1, "abc", project_id, "demo", frozenset(scopes), expires, 90, None))


def test_every_permission_has_an_expectation() -> None:
    assert set(WEAKEST) == set(PERMISSIONS) == SUPERUSER_PERMISSIONS


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("permission", PERMISSIONS)
def test_a_role_has_what_its_weakest_holder_has_and_no_more(role: Role, permission: Permission) -> None:
    weakest = WEAKEST[permission]
    expected = weakest is not None and ORDER.index(role) >= ORDER.index(weakest)
    assert (permission in ROLE_PERMISSIONS[role]) is expected
    assert (role in roles_with(permission)) is expected


@pytest.mark.parametrize("scope", Scope)
@pytest.mark.parametrize("permission", PERMISSIONS)
def test_a_scope_allows_exactly_its_permissions(scope: Scope, permission: Permission) -> None:
    assert (permission in SCOPE_PERMISSIONS[scope]) is (permission in SCOPES[scope])
    assert has_permission(principal(scope), 1, permission) is (permission in SCOPES[scope])


def test_scopes_add_up() -> None:
    assert key_permissions([Scope.READ, Scope.BACKFILL]) == SCOPES[Scope.READ] | {"events.backfill"}
    assert key_permissions([]) == frozenset()


@pytest.mark.parametrize("permission", PERMISSIONS)
def test_a_key_may_do_nothing_in_another_project(permission: Permission) -> None:
    assert not has_permission(principal(*Scope, project_id=1), 2, permission)
    assert not has_permission(principal(*Scope, project_id=1), None, permission)


@pytest.mark.parametrize("permission", ["members.manage", "keys.manage", "platform.manage"])
def test_no_key_can_make_members_or_other_keys(permission: Permission) -> None:
    assert not has_permission(principal(*Scope), 1, permission)
