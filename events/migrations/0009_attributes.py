from django.db import migrations, models

from events.sqlfiles import run_sql_file


class Migration(migrations.Migration):
    """A column for what events of other protocols have beyond our fields."""

    dependencies = [("events", "0008_schemas")]
    operations = [
        run_sql_file(__file__, "0009_attributes"),
        migrations.AddField("event", "attributes", models.JSONField(null=True)),
    ]
