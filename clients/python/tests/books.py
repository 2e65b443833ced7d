"""What the database holds, for tests to compare with."""

from dataclasses import dataclass
from datetime import datetime

from tests.support.databases import ScratchDatabase
from tests.support.stack import Seeded


@dataclass(frozen=True)
class Books:
    """What the database holds of the project, from the start of a test on."""

    database: ScratchDatabase
    project: Seeded
    since: datetime

    @property
    def key(self) -> str:
        return self.project.ingest_key

    def ids(self) -> list[str]:
        """Of every row of this test, so that one stored twice is here twice."""
        query = "SELECT event_id FROM event WHERE project_id = %s AND received_at >= %s ORDER BY event_id"
        return [str(row[0]) for row in self.database.rows(query, (self.project.project_id, self.since))]
