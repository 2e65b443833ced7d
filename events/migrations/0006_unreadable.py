from django.db import migrations

from events.sqlfiles import run_sql_file


class Migration(migrations.Migration):
    """A function that finds what jsonb cannot hold."""

    dependencies = [("events", "0005_models")]
    operations = [run_sql_file(__file__, "0006_unreadable")]
