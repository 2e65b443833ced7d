"""Models over the ingest tables. Their SQL is in migrations/sql; storage.py writes them."""

from django.db import models

from events.imports.models import ImportJob, ImportPull, ImportRejection

__all__ = [
    "Event",
    "EventSegment",
    "ImportJob",
    "ImportPull",
    "ImportRejection",
    "IngestCount",
    "RejectedEvent",
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

    class Meta:
        managed = False
        db_table = "rejected_event"

    def __str__(self) -> str:
        return f"{self.code} at {self.position} of {self.request_id}"
