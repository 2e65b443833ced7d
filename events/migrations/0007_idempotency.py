from django.db import migrations

from events.sqlfiles import run_sql_file


class Migration(migrations.Migration):
    """Answers to requests with an Idempotency-Key, to be given again."""

    dependencies = [("events", "0006_unreadable")]
    operations = [run_sql_file(__file__, "0007_idempotency")]
