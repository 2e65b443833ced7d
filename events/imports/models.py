"""Imports, refused rows, scheduled pulls. Plain project ids: they lie beside the events, perhaps on a shard."""

from typing import Any, ClassVar

import uuid_utils.compat
from django.db import models
from django.db.models import Q


class ImportJob(models.Model):
    """One file on its way in. The row is the truth: `position` moves in the transactions that store the events."""

    class State(models.TextChoices):
        READY = "ready", "Ready to start"  # uploaded; a mapping, or the word to start, is missing
        QUEUED = "queued", "Queued"
        RUNNING = "running", "Running"
        DONE = "done", "Done"
        FAILED = "failed", "Failed"
        CANCELLED = "cancelled", "Cancelled"

    id = models.UUIDField(primary_key=True, default=uuid_utils.compat.uuid7, editable=False)
    project_id = models.IntegerField()
    key_id = models.BigIntegerField(null=True)
    created_by = models.CharField(max_length=200)
    created_at = models.DateTimeField(auto_now_add=True)
    name = models.CharField(max_length=255)
    format = models.CharField(max_length=10)
    encoding = models.CharField(max_length=10, blank=True)
    mapping = models.JSONField(null=True)
    size = models.BigIntegerField()
    sha256 = models.CharField(max_length=64)
    state = models.CharField(max_length=10, choices=State.choices)
    # Where the next batch begins: a byte of the plain file, or a row of a Parquet file. `total` is its end.
    position = models.BigIntegerField(default=0)
    total = models.BigIntegerField(null=True)
    line = models.BigIntegerField(default=0)
    accepted = models.BigIntegerField(default=0)
    duplicates = models.BigIntegerField(default=0)
    rejected = models.BigIntegerField(default=0)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    touched_at = models.DateTimeField(auto_now_add=True)
    lease = models.UUIDField(null=True)
    lease_until = models.DateTimeField(null=True)
    attempts = models.SmallIntegerField(default=0)
    error_code = models.CharField(max_length=40, blank=True)
    error = models.TextField(blank=True)

    UNFINISHED: ClassVar[tuple[str, ...]] = (State.READY, State.QUEUED, State.RUNNING)

    class Meta:
        db_table = "import_job"
        indexes = [
            models.Index(fields=["project_id", "-created_at"], name="import_job_by_project"),
            models.Index(
                fields=["touched_at"], name="import_job_open", condition=Q(state__in=["queued", "running"])
            ),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=["ready", "queued", "running", "done", "failed", "cancelled"]),
                name="import_job_state_known",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.state})"

    @property
    def finished(self) -> bool:
        return self.state not in self.UNFINISHED

    @property
    def rows(self) -> int:
        return self.accepted + self.duplicates + self.rejected


class ImportRejection(models.Model):
    """A row of a file that was refused, by the line it began on; `raw` is its beginning."""

    pk: Any = models.CompositePrimaryKey("job_id", "line")
    job_id = models.UUIDField()
    line = models.BigIntegerField()
    code = models.TextField()
    pointer = models.TextField()
    message = models.TextField()
    raw = models.BinaryField()

    class Meta:
        db_table = "import_rejection"

    def __str__(self) -> str:
        return f"{self.code} at line {self.line} of {self.job_id}"


class ImportPull(models.Model):
    """A file that is fetched by its URL on a schedule, and imported when it is another than last time."""

    project_id = models.IntegerField()
    name = models.CharField(max_length=200)
    url = models.CharField(max_length=2_000)
    cron = models.CharField(max_length=100)
    format = models.CharField(max_length=10, blank=True)
    mapping = models.JSONField(null=True)
    enabled = models.BooleanField(default=True)
    created_by = models.CharField(max_length=200)
    created_at = models.DateTimeField(auto_now_add=True)
    next_at = models.DateTimeField()
    lease = models.UUIDField(null=True)
    lease_until = models.DateTimeField(null=True)
    # What the last answer was, and what is sent along to be told that nothing changed.
    checked_at = models.DateTimeField(null=True)
    result = models.CharField(max_length=20, blank=True)
    error = models.TextField(blank=True)
    etag = models.CharField(max_length=500, blank=True)
    last_modified = models.CharField(max_length=100, blank=True)
    sha256 = models.CharField(max_length=64, blank=True)
    last_job_id = models.UUIDField(null=True)

    class Meta:
        db_table = "import_pull"
        indexes = [
            models.Index(fields=["project_id"], name="import_pull_by_project"),
            models.Index(fields=["next_at"], name="import_pull_due", condition=Q(enabled=True)),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.cron})"
