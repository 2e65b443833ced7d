"""Servers that the operator named: asked whether they will do, never changed."""

import psycopg
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from provisioning.environment import DATABASE, REDIS
from provisioning.errors import ProvisioningError
from provisioning.timescaledb import OLDEST, parse_version

SECONDS = 5
AVAILABLE = "SELECT default_version FROM pg_available_extensions WHERE name = 'timescaledb'"


def check_database(url: str) -> str:
    """One line on the server behind `url`; ProvisioningError when Streamgauge cannot use it."""
    try:
        with psycopg.connect(url, connect_timeout=SECONDS) as connection:
            server = connection.info.server_version // 10_000
            row = connection.execute(AVAILABLE).fetchone()
    except (psycopg.Error, UnicodeError) as error:
        raise ProvisioningError(f"The server in {DATABASE} does not answer: {error}") from error
    if row is None:
        raise ProvisioningError(
            f"The server in {DATABASE} has no TimescaleDB. Install the extension there and try again."
        )
    if parse_version(row[0]) < OLDEST:
        oldest = ".".join(map(str, OLDEST))
        raise ProvisioningError(
            f"The server in {DATABASE} has TimescaleDB {row[0]}; {oldest} or newer is needed."
        )
    return f"PostgreSQL {server} with TimescaleDB {row[0]} answers at {DATABASE}."


def check_redis(url: str) -> str:
    """One line on the Redis behind `url`; ProvisioningError when it does not answer."""
    try:
        with redis.Redis.from_url(url, retry=Retry(NoBackoff(), 0), socket_timeout=SECONDS) as connection:
            connection.ping()
    except (redis.RedisError, ValueError) as error:
        raise ProvisioningError(f"The server in {REDIS} does not answer: {error}") from error
    return f"Redis answers at {REDIS}."
