from django.db import migrations

from events.sqlfiles import run_sql_file


class Migration(migrations.Migration):
    """Identity, the flush ledger, counts, the log and the quarantine."""

    atomic = False
    dependencies = [("events", "0001_initial")]
    operations = [run_sql_file(__file__, "0002_ingest")]
