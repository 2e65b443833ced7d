"""SQL that is longer than a line, in files under sql/, and running it on a database alias."""

from pathlib import Path
from typing import Any

from django.db import connections

_FOLDER = Path(__file__).parent / "sql"

Row = tuple[Any, ...]


def query(name: str) -> str:
    """The text of `sql/<name>.sql`. Read at import, so that a missing file shows at once."""
    return (_FOLDER / f"{name}.sql").read_text()


def fetch(using: str, statement: str, parameters: dict[str, Any] | None = None) -> list[Row]:
    """Run one statement, and return its rows."""
    with connections[using].cursor() as cursor:
        cursor.execute(statement, parameters)
        rows: list[Row] = cursor.fetchall()
    return rows


def execute(using: str, statement: str, parameters: dict[str, Any] | None = None) -> int:
    """Run one statement that returns nothing; how many rows it changed."""
    with connections[using].cursor() as cursor:
        cursor.execute(statement, parameters)
        return int(cursor.rowcount)
