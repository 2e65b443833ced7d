from django.db import migrations

from events.sqlfiles import run_sql_file


class Migration(migrations.Migration):
    """What becomes of a refused event, and actions on many of them at once."""

    dependencies = [("events", "0010_limits")]
    operations = [run_sql_file(__file__, "0011_quarantine")]
