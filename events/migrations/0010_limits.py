from django.db import migrations

from events.sqlfiles import run_sql_file


class Migration(migrations.Migration):
    """What was stored by key and day, and what was dropped and why."""

    dependencies = [("events", "0009_attributes")]
    operations = [run_sql_file(__file__, "0010_limits")]
