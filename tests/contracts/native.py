"""The test database on the provisioned server, with real commits, for one module."""

from collections.abc import Iterator

import pytest
from django.db import connections
from pytest_django import DjangoDbBlocker

from tests.contracts.storage import USING, Database


@pytest.fixture(scope="module")
def database(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[Database]:
    with django_db_blocker.unblock():
        database = Database(copies=True)
        database.clear()
        yield database
        database.clear()
        connections[USING].close()
