"""Models over the ingest tables. Their SQL is in migrations/sql; storage.py writes them."""

from django.db import models

from events.imports.models import ImportJob, ImportPull, ImportRejection
from events.sanitising.models import SanitisingRule
from events.schemas.models import EventSchema, SchemaVersion

__all__ = [
    "Event",
    "EventSchema",
    "EventSegment",
    "ImportJob",
    "ImportPull",
    "ImportRejection",
    "IngestCount",
    "RejectedEvent",
    "SanitisingRule",
    "SchemaVersion",
    "SchemaWarning",
]


class Event(models.Model):
    """One stored event. No foreign keys: data tables may live on a shard away from the control tables."""

    pk = models.CompositePrimaryKey("project_id", "time", "uid")
    project_id = models.IntegerField()
    time = models.DateTimeField()
    uid = models.UUIDField()
    type = models.TextField()
    source = models.TextField()
    subject = models.TextField()
    partition_key = models.TextField()
    partition = models.SmallIntegerField()
    event_id = models.TextField(null=True)  # noqa: DJ001 - NULL says that the server made the id
    value = models.FloatField(null=True)
    data = models.JSONField(null=True)
    attributes = models.JSONField(null=True)
    received_at = models.DateTimeField()

    class Meta:
        managed = False
        db_table = "event"

    def __str__(self) -> str:
        return f"{self.type} {self.event_id or self.uid}"


class IngestCount(models.Model):
    """Events accepted, duplicate and rejected in one second by one process."""

    pk = models.CompositePrimaryKey("project_id", "second", "type", "process")
    project_id = models.IntegerField()
    second = models.DateTimeField()
    type = models.TextField()
    process = models.UUIDField()
    accepted = models.BigIntegerField()
    duplicate = models.BigIntegerField()
    rejected = models.BigIntegerField()

    class Meta:
        managed = False
        db_table = "ingest_count"

    def __str__(self) -> str:
        return f"{self.second} {self.type}: {self.accepted}"


class EventSegment(models.Model):
    """Part of the log: the events of one flush in one partition, packed."""

    id = models.BigAutoField(primary_key=True)
    partition = models.SmallIntegerField()
    flush_id = models.UUIDField()
    ordinal = models.SmallIntegerField()
    received_at = models.DateTimeField()
    events = models.IntegerField()
    payload = models.BinaryField()

    class Meta:
        managed = False
        db_table = "event_segment"

    def __str__(self) -> str:
        return f"segment {self.id} of partition {self.partition}"


class RejectedEvent(models.Model):
    """An event refused inside an accepted request, as its sender sent it."""

    id = models.UUIDField(primary_key=True)
    project_id = models.IntegerField()
    received_at = models.DateTimeField()
    request_id = models.TextField()
    key_id = models.BigIntegerField(null=True)
    position = models.IntegerField()
    type = models.TextField()
    code = models.TextField()
    pointer = models.TextField()
    message = models.TextField()
    raw = models.BinaryField()
    state = models.TextField()
    attempts = models.IntegerField()
    corrected = models.BinaryField(null=True)
    uid = models.UUIDField(null=True)
    time = models.DateTimeField(null=True)
    changed_at = models.DateTimeField(null=True)
    bulk = models.UUIDField(null=True)

    class Meta:
        managed = False
        db_table = "rejected_event"

    def __str__(self) -> str:
        return f"{self.code} at {self.position} of {self.request_id}"


class SchemaWarning(models.Model):
    """Events of one type in one minute that broke a schema in mode `warn`, with the last one's reason."""

    pk = models.CompositePrimaryKey("project_id", "type", "minute")
    project_id = models.IntegerField()
    type = models.TextField()
    minute = models.DateTimeField()
    events = models.BigIntegerField()
    pointer = models.TextField()
    message = models.TextField()

    class Meta:
        managed = False
        db_table = "schema_warning"

    def __str__(self) -> str:
        return f"{self.minute} {self.type}: {self.events}"
