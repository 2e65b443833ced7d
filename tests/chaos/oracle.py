"""What must hold after any fault: the client's ledger against `event`, and every count against a recount.

SQL of its own throughout: an oracle that shared code with the product would share its mistakes.
"""

import time
from collections.abc import Callable

from tests.support.databases import ScratchDatabase
from tests.support.ledger import Ledger

# An event is known by data.ref, so that those without an id of the sender's count too. EXCEPT ALL keeps doubles.
LEDGER = "CREATE TEMP TABLE ledger (ref text PRIMARY KEY, hash text NOT NULL, verdict text NOT NULL)"
STORED = """
SELECT data->>'ref' AS ref, md5(concat_ws('|', type, source, subject, coalesce(value::text, ''),
       data->>'ref', data->>'note')) AS hash
FROM event WHERE project_id = %(project)s
"""
LOST = f"SELECT ref, hash FROM ledger WHERE verdict = 'acknowledged' EXCEPT ALL ({STORED})"
SURPLUS = f"({STORED}) EXCEPT ALL SELECT ref, hash FROM ledger WHERE verdict IN ('acknowledged', 'unknown')"
REFUSED = f"SELECT ref FROM ledger WHERE verdict = 'refused' INTERSECT SELECT ref FROM ({STORED}) AS stored"

COUNTED = """
(SELECT type, sum(accepted)::bigint FROM ingest_count WHERE project_id = %(project)s
 GROUP BY type HAVING sum(accepted) > 0)
"""
RECOUNTED = "(SELECT type, count(*) FROM event WHERE project_id = %(project)s GROUP BY type)"

WINDOWS = """
SELECT DISTINCT ON (group_key, window_start) group_key, window_start, count, sum, min, max
FROM window_result WHERE project_id = %(project)s ORDER BY group_key, window_start, revision DESC
"""
RECOUNTED_WINDOWS = """
SELECT type, to_timestamp(floor(extract(epoch FROM time) / %(size)s) * %(size)s), count(*), sum(value), min(value),
       max(value)
FROM event
WHERE project_id = %(project)s AND NOT EXISTS (
    SELECT FROM late_event WHERE late_event.project_id = event.project_id AND late_event.uid = event.uid
)
GROUP BY 1, 2
"""
SEGMENTS = "SELECT id, partition FROM event_segment"
HAS_WINDOWS = "SELECT EXISTS (SELECT FROM window_result WHERE project_id = %s)"
ONE_REVISION_EACH = """
SELECT group_key, window_start, revision, count(*) FROM window_result WHERE project_id = %(project)s
GROUP BY 1, 2, 3 HAVING count(*) > 1
"""

WINDOW_SECONDS = 2
# A window's end, the watermark's delay, 20 s until a frozen worker's locks go, 10 s until an empty partition counts
# as idle, and slow cores.
PATIENCE_SECONDS = 75

Rows = list[tuple[object, ...]]


def require_exactly_once(database: ScratchDatabase, project_id: int, ledger: Ledger) -> None:
    """I1: acknowledged events are stored once, refused ones never, and nothing that was not sent."""
    assert ledger.count("acknowledged") > 0, "the load had no event acknowledged, so nothing was shown"
    with database.connect() as connection:
        connection.execute(LEDGER)
        with connection.cursor().copy("COPY ledger FROM STDIN") as copy:
            for row in ledger.rows():
                copy.write_row(row)
        found = {
            name: connection.execute(query.encode(), {"project": project_id}).fetchall()
            for name, query in (
                ("lost", LOST),
                ("stored too often", SURPLUS),
                ("refused yet stored", REFUSED),
            )
        }
    assert not any(found.values()), {name: (len(rows), rows[:5]) for name, rows in found.items() if rows}


def require_counts_match(database: ScratchDatabase, project_id: int) -> None:
    """`ingest_count`, which the live page shows, equals a count of `event`."""
    assert not differences(database, COUNTED, RECOUNTED, {"project": project_id})


def require_windows_match(database: ScratchDatabase, project_id: int) -> None:
    """I2: once all is folded and closed, each window's newest result equals a recount, and none is there twice."""
    _wait_for_none(lambda: database.rows(SEGMENTS), "segments of the log wait to be folded")
    _wait_for_none(lambda: window_differences(database, project_id), "windows differ from a recount")
    assert database.value(HAS_WINDOWS, (project_id,)), "no window was closed, so nothing was shown"
    with database.connect() as connection:
        assert not connection.execute(ONE_REVISION_EACH.encode(), {"project": project_id}).fetchall()


def _wait_for_none(rows: Callable[[], Rows], what: str) -> None:
    """Until there are none: while they get fewer, it may take its time on slow cores."""
    left = rows()
    deadline = time.monotonic() + PATIENCE_SECONDS
    while left:
        assert time.monotonic() < deadline, f"{len(left)} {what}, and no fewer: {left[:5]}"
        time.sleep(0.5)
        now = rows()
        if len(now) < len(left):
            deadline = time.monotonic() + PATIENCE_SECONDS
        left = now


def window_differences(database: ScratchDatabase, project_id: int) -> Rows:
    """Windows whose newest result differs from a recount of `event`, from either side."""
    parameters: dict[str, object] = {"project": project_id, "size": WINDOW_SECONDS}
    return differences(database, f"({WINDOWS})", f"({RECOUNTED_WINDOWS})", parameters)


def differences(database: ScratchDatabase, left: str, right: str, parameters: dict[str, object]) -> Rows:
    query = f"SELECT 'only left', * FROM ({left} EXCEPT ALL {right}) AS l UNION ALL " + (
        f"SELECT 'only right', * FROM ({right} EXCEPT ALL {left}) AS r"
    )
    with database.connect() as connection:
        return list(connection.execute(query.encode(), parameters).fetchall())
