"""People, projects, who belongs to which, their API keys, and the record of every change to them."""

from datetime import datetime
from typing import Any, Literal

from allauth.mfa.models import Authenticator
from auditlog.models import AbstractLogEntry
from django.conf import settings
from django.contrib.auth.models import AbstractUser
from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.db.models import F, Q

from accounts.allowances import ordered_addresses, ordered_types
from accounts.audit import register_audited_models, register_second_factors, stamp
from accounts.limit_fields import Limited
from accounts.roles import Role, Scope

# A hundred years: day arithmetic stays inside PostgreSQL's and Python's calendars.
MAX_DAYS = 36_500
_DAYS = [MinValueValidator(1), MaxValueValidator(MAX_DAYS)]


class User(AbstractUser):
    """A person who signs in. Deactivate rather than delete: the audit log names its actors."""


class Project(Limited):
    """A tenant: everything but people belongs to exactly one."""

    # 32 bits, as in every data table: project_id is repeated in each of billions of rows.
    id = models.AutoField(primary_key=True)
    slug = models.SlugField(
        max_length=63,
        unique=True,
        validators=[RegexValidator(r"^[a-z0-9][a-z0-9-]*$", "Use lower-case letters, digits and hyphens.")],
        help_text="The project's name in URLs and commands; lower-case letters, digits and hyphens.",
    )
    name = models.CharField(max_length=200)
    raw_retention_days = models.PositiveIntegerField(
        default=90, validators=_DAYS, help_text="Raw events older than this are refused, and removed."
    )
    live_limit_days = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=_DAYS,
        help_text="Older events need a key with the backfill scope. Empty: no shorter limit.",
    )
    rejected_retention_days = models.PositiveIntegerField(
        default=30, validators=_DAYS, help_text="Refused events are removed from the quarantine after this."
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["slug"]
        constraints = [
            *Limited.Meta.constraints,
            models.CheckConstraint(
                condition=Q(raw_retention_days__gte=1, raw_retention_days__lte=MAX_DAYS),
                name="project_raw_retention_days_in_range",
                violation_error_message="Keep raw events for at least one day, and at most a hundred years.",
            ),
            models.CheckConstraint(
                condition=Q(live_limit_days__isnull=True)
                | Q(live_limit_days__gte=1, live_limit_days__lte=F("raw_retention_days")),
                name="project_live_limit_within_retention",
                violation_error_message="The live limit must be between one day and the raw retention.",
            ),
            models.CheckConstraint(
                condition=Q(rejected_retention_days__gte=1, rejected_retention_days__lte=MAX_DAYS),
                name="project_rejected_retention_days_in_range",
                violation_error_message="Keep refused events for at least one day, and at most a hundred years.",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def get_additional_data(self) -> dict[str, Any]:
        """Where django-auditlog learns which project an entry belongs to."""
        return {"project_id": self.pk}


class PolicyVersion(models.Model):
    """How often what ingest asks of a project's events has changed: each key read tells, within a second.

    A row of its own: saving a project from a form must not bring back an older number.
    """

    project = models.OneToOneField(Project, models.CASCADE, primary_key=True, related_name="+")
    version = models.PositiveBigIntegerField()

    def __str__(self) -> str:
        return f"{self.project_id}: {self.version}"


class Membership(models.Model):
    """The role of one person in one project."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="memberships")
    project = models.ForeignKey(Project, models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=10, choices=Role.choices, default=Role.VIEWER)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["project", "user"]
        constraints = [
            models.UniqueConstraint(
                fields=["user", "project"],
                name="membership_once_per_project",
                violation_error_message="Already a member of this project: change the role instead.",
            ),
            models.CheckConstraint(condition=Q(role__in=Role.values), name="membership_role_known"),
        ]

    def __str__(self) -> str:
        return f"{self.user} in {self.project} ({self.role})"

    def get_additional_data(self) -> dict[str, Any]:
        return {"project_id": self.project_id}


class ApiKey(Limited):
    """A secret that a program sends; only its digest is stored, so it can be shown once and never again."""

    project = models.ForeignKey(Project, models.CASCADE, related_name="keys")
    name = models.CharField(max_length=200, help_text="Which program uses it, so that it can be recognised.")
    prefix = models.CharField(max_length=10, unique=True, editable=False)
    digest = models.BinaryField(max_length=32, editable=False)
    scopes = ArrayField(models.CharField(max_length=10, choices=Scope.choices))
    expires_at = models.DateTimeField(null=True, blank=True, help_text="UTC. Empty: until revoked.")
    allowed_types = ArrayField(
        models.CharField(max_length=200),
        default=list,
        blank=True,
        help_text="Globs of the event types it may send, such as order.*. Empty: all.",
    )
    allowed_addresses = ArrayField(
        models.CharField(max_length=43),
        default=list,
        blank=True,
        help_text="Addresses and networks it may send from, such as 192.0.2.0/24. Empty: all.",
    )
    revoked_at = models.DateTimeField(null=True, blank=True, editable=False)
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, editable=False, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-created_at", "-id"]
        verbose_name = "API key"
        constraints = [
            *Limited.Meta.constraints,
            models.CheckConstraint(
                condition=Q(scopes__contained_by=list(Scope.values)) & ~Q(scopes=[]),
                name="api_key_scopes_known",
                violation_error_message=f"Give at least one scope of {', '.join(Scope.values)}.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix})"

    def clean(self) -> None:
        """Lists are kept in their one form: what ingest reads must never fail."""
        for field, ordered in (("allowed_types", ordered_types), ("allowed_addresses", ordered_addresses)):
            try:
                setattr(self, field, ordered(getattr(self, field)))
            except ValueError as error:
                raise ValidationError({field: str(error)}) from error

    def state_at(self, now: datetime) -> Literal["active", "expired", "revoked"]:
        if self.revoked_at is not None:
            return "revoked"
        return "expired" if self.expires_at is not None and self.expires_at <= now else "active"

    def get_additional_data(self) -> dict[str, Any]:
        return {"project_id": self.project_id}


class AuditEntry(AbstractLogEntry):  # type: ignore[misc]
    """One change to a person, project, membership or key; written with it, and never touched again."""

    # PROTECT, not SET_NULL: an entry whose actor was deleted would say nothing.
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+"
    )
    actor_name = models.CharField(max_length=200, blank=True)
    # No foreign key: the entries of a deleted project remain.
    project_id = models.IntegerField(null=True, blank=True)

    class Meta(AbstractLogEntry.Meta):  # type: ignore[misc]
        verbose_name = "audit entry"
        verbose_name_plural = "audit entries"
        indexes = [models.Index(fields=["project_id", "-timestamp"], name="audit_by_project")]

    def save(self, *args: Any, **kwargs: Any) -> None:
        if self._state.adding:
            stamp(self)
        super().save(*args, **kwargs)


register_audited_models(user=User, others=[Project, Membership], key=ApiKey)
register_second_factors(Authenticator)
