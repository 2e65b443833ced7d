"""SQL in files: statements of the hot path in events/sql, migrations in numbered files beside them."""

from pathlib import Path

from django.db import migrations


def run_sql_file(migration_file: str, name: str) -> migrations.RunSQL:
    """The operation for `sql/<name>.up.sql` and its `.down.sql`, beside the migration `migration_file`."""
    folder = Path(migration_file).parent / "sql"
    return migrations.RunSQL(
        sql=(folder / f"{name}.up.sql").read_text(),
        reverse_sql=(folder / f"{name}.down.sql").read_text(),
    )


def load_sql(name: str) -> str:
    """The statement in events/sql/<name>.sql."""
    return (Path(__file__).parent / "sql" / f"{name}.sql").read_text()
