"""The database itself refuses to change or delete an audit entry."""

from pathlib import Path

from django.db import migrations

SQL = Path(__file__).parent / "sql"


class Migration(migrations.Migration):
    dependencies = [("accounts", "0001_initial")]
    operations = [
        migrations.RunSQL(
            [(SQL / "0002_audit_append_only.up.sql").read_text()],
            [(SQL / "0002_audit_append_only.down.sql").read_text()],
        )
    ]
