import uuid_utils.compat
from django.db import migrations, models


class Migration(migrations.Migration):
    """Imports and the rows they refused."""

    dependencies = [
        ("events", "0011_quarantine"),
    ]

    operations = [
        migrations.CreateModel(
            name="ImportRejection",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "job_id", "line", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("job_id", models.UUIDField()),
                ("line", models.BigIntegerField()),
                ("code", models.TextField()),
                ("pointer", models.TextField()),
                ("message", models.TextField()),
                ("raw", models.BinaryField()),
            ],
            options={
                "db_table": "import_rejection",
            },
        ),
        migrations.CreateModel(
            name="ImportJob",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid_utils.compat.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("project_id", models.IntegerField()),
                ("key_id", models.BigIntegerField(null=True)),
                ("created_by", models.CharField(max_length=200)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("name", models.CharField(max_length=255)),
                ("format", models.CharField(max_length=10)),
                ("encoding", models.CharField(blank=True, max_length=10)),
                ("mapping", models.JSONField(null=True)),
                ("size", models.BigIntegerField()),
                ("sha256", models.CharField(max_length=64)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("ready", "Ready to start"),
                            ("queued", "Queued"),
                            ("running", "Running"),
                            ("done", "Done"),
                            ("failed", "Failed"),
                            ("cancelled", "Cancelled"),
                        ],
                        max_length=10,
                    ),
                ),
                ("position", models.BigIntegerField(default=0)),
                ("total", models.BigIntegerField(null=True)),
                ("line", models.BigIntegerField(default=0)),
                ("accepted", models.BigIntegerField(default=0)),
                ("duplicates", models.BigIntegerField(default=0)),
                ("rejected", models.BigIntegerField(default=0)),
                ("started_at", models.DateTimeField(null=True)),
                ("finished_at", models.DateTimeField(null=True)),
                ("touched_at", models.DateTimeField(auto_now_add=True)),
                ("lease", models.UUIDField(null=True)),
                ("lease_until", models.DateTimeField(null=True)),
                ("attempts", models.SmallIntegerField(default=0)),
                ("error_code", models.CharField(blank=True, max_length=40)),
                ("error", models.TextField(blank=True)),
            ],
            options={
                "db_table": "import_job",
                "indexes": [
                    models.Index(fields=["project_id", "-created_at"], name="import_job_by_project"),
                    models.Index(
                        condition=models.Q(("state__in", ["queued", "running"])),
                        fields=["touched_at"],
                        name="import_job_open",
                    ),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("state__in", ["ready", "queued", "running", "done", "failed", "cancelled"])
                        ),
                        name="import_job_state_known",
                    )
                ],
            },
        ),
    ]
