from django.db import migrations, models


class Migration(migrations.Migration):
    """Files that are fetched on a schedule."""

    dependencies = [
        ("events", "0012_imports"),
    ]

    operations = [
        migrations.CreateModel(
            name="ImportPull",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("project_id", models.IntegerField()),
                ("name", models.CharField(max_length=200)),
                ("url", models.CharField(max_length=2000)),
                ("cron", models.CharField(max_length=100)),
                ("format", models.CharField(blank=True, max_length=10)),
                ("mapping", models.JSONField(null=True)),
                ("enabled", models.BooleanField(default=True)),
                ("created_by", models.CharField(max_length=200)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("next_at", models.DateTimeField()),
                ("lease", models.UUIDField(null=True)),
                ("lease_until", models.DateTimeField(null=True)),
                ("checked_at", models.DateTimeField(null=True)),
                ("result", models.CharField(blank=True, max_length=20)),
                ("error", models.TextField(blank=True)),
                ("etag", models.CharField(blank=True, max_length=500)),
                ("last_modified", models.CharField(blank=True, max_length=100)),
                ("sha256", models.CharField(blank=True, max_length=64)),
                ("last_job_id", models.UUIDField(null=True)),
            ],
            options={
                "db_table": "import_pull",
                "indexes": [
                    models.Index(fields=["project_id"], name="import_pull_by_project"),
                    models.Index(
                        condition=models.Q(("enabled", True)), fields=["next_at"], name="import_pull_due"
                    ),
                ],
            },
        ),
    ]
