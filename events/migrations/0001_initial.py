from django.db import migrations

from events.sqlfiles import run_sql_file


class Migration(migrations.Migration):
    """The event hypertable. Unmanaged models are state only; the SQL file makes the table."""

    initial = True
    atomic = False
    dependencies = []
    operations = [run_sql_file(__file__, "0001_event")]
