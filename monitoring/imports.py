"""Reads what the imports page shows, through the selectors of events."""

from typing import Final

from events.imports.describing import describe_import
from events.imports.selectors import list_imports
from monitoring.payloads import Imports

MOST_IMPORTS: Final = 30


def read_imports(project_id: int) -> Imports:
    """The imports of a project as their rows are now. Raises django.db.Error when they cannot be read."""
    return {
        "imports": [describe_import(job) for job in list_imports(project_id=project_id, limit=MOST_IMPORTS)]
    }
