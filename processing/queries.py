"""SQL that is longer than a line, in files under sql/."""

from pathlib import Path

_FOLDER = Path(__file__).parent / "sql"


def query(name: str) -> bytes:
    """The text of `sql/<name>.sql`. Read at import, so that a missing file shows at once."""
    return (_FOLDER / f"{name}.sql").read_bytes()
