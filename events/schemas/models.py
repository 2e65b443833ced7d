"""Schemas of event types and their versions, as rows that admins of a project write."""

from typing import Any

from auditlog.registry import auditlog
from django.conf import settings
from django.db import models
from django.db.models import Q

from accounts.models import Project


class EventSchema(models.Model):
    """The schema of one type in one project: its mode, and which of its versions is the current one."""

    class Mode(models.TextChoices):
        OFF = "off", "Off"
        WARN = "warn", "Warn"
        ENFORCE = "enforce", "Enforce"

    project = models.ForeignKey(Project, models.CASCADE, related_name="event_schemas")
    type = models.CharField(max_length=200)
    mode = models.CharField(max_length=7, choices=Mode.choices, default=Mode.OFF)
    version = models.PositiveIntegerField(help_text="The current version's number.")
    created_at = models.DateTimeField(auto_now_add=True)
    changed_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["type"]
        constraints = [
            models.UniqueConstraint(fields=["project", "type"], name="event_schema_once_per_type"),
            models.CheckConstraint(
                condition=Q(mode__in=["off", "warn", "enforce"]), name="event_schema_mode_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.type} ({self.mode})"

    @property
    def current(self) -> "SchemaVersion":
        return self.versions.get(number=self.version)

    def get_additional_data(self) -> dict[str, Any]:
        return {"project_id": self.project_id}


class SchemaVersion(models.Model):
    """One version of a schema: its text as it was written. Never changed: a trigger sees to it."""

    schema = models.ForeignKey(EventSchema, models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    text = models.TextField()
    note = models.CharField(max_length=500, blank=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, editable=False, related_name="+"
    )
    author = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-number"]
        constraints = [
            models.UniqueConstraint(fields=["schema", "number"], name="schema_version_once_per_number"),
        ]

    def __str__(self) -> str:
        return f"{self.schema.type}, version {self.number}"

    def get_additional_data(self) -> dict[str, Any]:
        return {"project_id": self.schema.project_id, "type": self.schema.type}


auditlog.register(EventSchema, exclude_fields=["changed_at"])
auditlog.register(SchemaVersion, exclude_fields=["text"])
