"""Every change to people, projects, members and keys that is not made in the admin's forms."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from auditlog.models import LogEntry
from django.core.exceptions import ValidationError
from django.db import connection, models, transaction
from django.utils import timezone

from accounts.allowances import UNLIMITED, Allowance
from accounts.errors import InvalidRequest
from accounts.key_text import generate_key
from accounts.models import ApiKey, AuditEntry, Membership, Project, User
from accounts.roles import Role, Scope


@dataclass(frozen=True, slots=True)
class CreatedKey:
    """A new key, and the only copy of its text."""

    key: ApiKey
    text: str


def create_project(
    *, slug: str, name: str, raw_retention_days: int = 90, live_limit_days: int | None = None
) -> Project:
    """Make a project. Raises InvalidRequest."""
    project = Project(
        slug=slug, name=name, raw_retention_days=raw_retention_days, live_limit_days=live_limit_days
    )
    _save(project)
    return project


def bump_policy_version(*, project_id: int) -> None:
    """Have every process that checks keys read the project's policy again, within a second of COMMIT.

    In the transaction of the change itself, after it: two changes at once count one after the other.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO accounts_policyversion AS policy (project_id, version) VALUES (%s, 1)"
            " ON CONFLICT (project_id) DO UPDATE SET version = policy.version + 1",
            [project_id],
        )


def record_action(*, project_id: int, what: str) -> None:
    """Put into the audit log what is about to be done in a project that changes no audited model.

    Before it is done: a crash may leave an entry of something that was not, never something without its entry.
    """
    project = Project.objects.get(pk=project_id)
    changes = {"action": ["", what]}
    AuditEntry.objects.log_create(project, action=LogEntry.Action.UPDATE, changes=changes)


def add_member(*, user: User, project: Project, role: Role) -> Membership:
    """Make someone a member, or change the role of one. Raises InvalidRequest."""
    membership = Membership.objects.filter(user=user, project=project).first()
    membership = membership or Membership(user=user, project=project)
    membership.role = role
    _save(membership)
    return membership


def remove_member(*, user: User, project: Project) -> None:
    """End a membership; nothing happens if there is none."""
    for membership in Membership.objects.filter(user=user, project=project):
        membership.delete()


def create_key(
    *,
    project: Project,
    scopes: Iterable[Scope | str],
    name: str = "",
    expires_at: datetime | None = None,
    created_by: User | None = None,
    allowance: Allowance = UNLIMITED,
    allowed_types: Iterable[str] = (),
    allowed_addresses: Iterable[str] = (),
) -> CreatedKey:
    """Make a key; its text is in the result and nowhere else. Raises InvalidRequest."""
    key = ApiKey(
        project=project,
        name=name or f"key of {timezone.now():%Y-%m-%d}",
        scopes=ordered_scopes(scopes),
        expires_at=expires_at,
        created_by=created_by,
        rate_limit=allowance.rate,
        rate_burst=allowance.burst,
        daily_quota=allowance.daily,
        allowed_types=list(allowed_types),
        allowed_addresses=list(allowed_addresses),
    )
    return issue_key(key=key)


def issue_key(*, key: ApiKey) -> CreatedKey:
    """Give an unsaved key its secret and save it. Raises InvalidRequest."""
    if key.expires_at is not None and key.expires_at <= timezone.now():
        raise InvalidRequest("The key would have expired already: give a time in the future.")
    secret = generate_key()
    key.prefix, key.digest = secret.prefix, secret.digest
    _save(key)
    return CreatedKey(key, secret.text)


def revoke_key(*, key: ApiKey) -> bool:
    """End a key for good, everywhere within a second. False when it had ended already."""
    with transaction.atomic():
        locked = ApiKey.objects.select_for_update().get(pk=key.pk)
        if locked.revoked_at is not None:
            return False
        locked.revoked_at = timezone.now()
        locked.save(update_fields=["revoked_at"])
    key.revoked_at = locked.revoked_at
    return True


def ordered_scopes(scopes: Iterable[Scope | str]) -> list[str]:
    """Scopes without repeats, in the table's order. Raises InvalidRequest for one that does not exist."""
    given = {str(scope) for scope in scopes}
    if unknown := sorted(given - set(Scope.values)):
        raise InvalidRequest(f"There is no scope {unknown[0]!r}. Scopes: {', '.join(Scope.values)}.")
    return [scope for scope in Scope.values if scope in given]


def _save(instance: models.Model) -> None:
    try:
        instance.full_clean()
    except ValidationError as error:
        raise InvalidRequest(" ".join(_sentences(error))) from error
    instance.save()


def _sentences(error: ValidationError) -> list[str]:
    by_field: dict[str, list[str]] = error.message_dict
    return [
        message if field == "__all__" else f"{field}: {message}"
        for field, messages in by_field.items()
        for message in messages
    ]
