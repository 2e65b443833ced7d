from django.db import migrations

from events.sqlfiles import run_sql_file


class Migration(migrations.Migration):
    """Indexes that pruning and folding go by."""

    dependencies = [("events", "0003_rollup_1m")]
    operations = [run_sql_file(__file__, "0004_maintenance")]
