from django.db import migrations

from events.sqlfiles import run_sql_file


class Migration(migrations.Migration):
    """Deployments, watermarks, partial windows, results and the ledgers of what was not counted."""

    atomic = False
    dependencies = [("processing", "0001_initial"), ("events", "0002_ingest")]
    operations = [run_sql_file(__file__, "0002_windows")]
