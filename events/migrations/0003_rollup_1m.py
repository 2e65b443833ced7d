from pathlib import Path

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from events.editions import detect_edition, rollup_kind
from events.sqlfiles import run_sql_file

SQL = Path(__file__).parent / "sql"
COMMUNITY, APACHE = "0003_rollup_1m_community", "0003_rollup_1m_apache"


def create_rollup(apps: Apps, editor: BaseDatabaseSchemaEditor) -> None:
    edition = detect_edition(using=editor.connection.alias)
    editor.execute(
        (SQL / f"{COMMUNITY if edition.name == 'community' else APACHE}.up.sql").read_text(), params=None
    )


def drop_rollup(apps: Apps, editor: BaseDatabaseSchemaEditor) -> None:
    kind = rollup_kind(using=editor.connection.alias)
    editor.execute((SQL / f"{APACHE if kind == 'table' else COMMUNITY}.down.sql").read_text(), params=None)


class Migration(migrations.Migration):
    """The 1-minute rollup: a continuous aggregate where the server has them, a table of the same columns elsewhere."""

    atomic = False
    dependencies = [("events", "0002_ingest")]
    operations = [
        run_sql_file(__file__, "0003_rollup_1m"),
        migrations.RunPython(create_rollup, drop_rollup),
    ]
