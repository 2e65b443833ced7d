"""The counts of what was dropped: written behind the requests, kept while they cannot be."""

from collections.abc import Iterator

import psycopg
import pytest

from events.connections import conninfo
from events.drops import DropCounter, Place
from tests.support.ingest import Books
from tests.support.waiting import wait_for

SECONDS = 20.0
PLACE = Place(7, "rate_limited", 3)


@pytest.fixture
def counter(books: Books) -> Iterator[DropCounter]:
    books.execute("DELETE FROM ingest_drop")
    counter = DropCounter()
    yield counter
    counter.close()


def counted(books: Books) -> dict[tuple[int, str, int], tuple[int, int]]:
    found = books.rows(
        "SELECT project_id, reason, key_id, sum(events)::int AS e, sum(requests)::int AS r"
        " FROM ingest_drop GROUP BY 1, 2, 3"
    )
    return {(row["project_id"], row["reason"], row["key_id"]): (row["e"], row["r"]) for row in found}


def test_counts_are_written_by_themselves_and_add_up(counter: DropCounter, books: Books) -> None:
    for _ in range(3):
        counter.count(PLACE, events=5, requests=1)
    counter.count(Place(7, "overloaded", 3), requests=1)
    expected = {PLACE: (15, 3), (7, "overloaded", 3): (0, 1)}
    wait_for(lambda: counted(books) == expected, seconds=SECONDS, what="the counts")
    counter.count(PLACE, events=2, requests=1)
    wait_for(lambda: counted(books)[PLACE] == (17, 4), seconds=SECONDS, what="the sum")


def test_a_process_that_ends_writes_what_it_counted(counter: DropCounter, books: Books) -> None:
    counter.count(PLACE, events=5, requests=1)
    counter.count(PLACE, events=5, requests=1)
    counter.close()
    assert counted(books) == {PLACE: (10, 2)}


def test_what_is_counted_after_the_end_is_written_too(counter: DropCounter, books: Books) -> None:
    """One of several gateways in a process may end before the others."""
    counter.count(PLACE, events=5, requests=1)
    counter.close()
    counter.count(PLACE, events=5, requests=1)
    wait_for(lambda: counted(books) == {PLACE: (10, 2)}, seconds=SECONDS, what="the counts")


def test_counts_that_cannot_be_written_are_kept(counter: DropCounter, books: Books) -> None:
    """Locked out for longer than the lock timeout: nothing is lost, nothing is counted twice."""
    with psycopg.connect(conninfo()) as holder:
        holder.execute("LOCK TABLE ingest_drop IN SHARE MODE")
        counter.count(PLACE, events=5, requests=1)
        wait_for(lambda: counter.failed, seconds=SECONDS, what="a write to fail")
        counter.count(PLACE, events=5, requests=1)
    wait_for(lambda: counted(books) == {PLACE: (10, 2)}, seconds=SECONDS, what="the counts")


def test_more_than_a_batch_is_written_in_several(counter: DropCounter, books: Books) -> None:
    for key_id in range(2_500):
        counter.count(Place(7, "rate_limited", key_id), events=1)
    wait_for(lambda: len(counted(books)) == 2_500, seconds=SECONDS, what="2,500 counts")
