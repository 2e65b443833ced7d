"""Which edition of TimescaleDB a server runs, found by asking it."""

from dataclasses import dataclass
from typing import Literal

from events.queries import fetch

EditionName = Literal["community", "apache"]
RollupKind = Literal["continuous aggregate", "table"]


@dataclass(frozen=True, slots=True)
class Edition:
    name: EditionName
    timescaledb: str
    postgresql: str


def detect_edition(*, using: str = "default") -> Edition:
    """Ask the server on `using`. Its licence decides: a Community build told to be Apache is Apache."""
    # The first statement that a session sends loads the library, and with it the setting.
    ((timescaledb,),) = fetch(using, "SELECT extversion FROM pg_extension WHERE extname = 'timescaledb'")
    ((licence,),) = fetch(using, "SHOW timescaledb.license")
    ((postgresql,),) = fetch(using, "SHOW server_version")
    return Edition("community" if licence == "timescale" else "apache", timescaledb, postgresql)


def rollup_kind(*, using: str = "default") -> RollupKind:
    """What `rollup_1m` is here. Not the same question as the edition: a dump may be restored on the other one."""
    ((continuous,),) = fetch(
        using,
        "SELECT EXISTS (SELECT FROM timescaledb_information.continuous_aggregates"
        " WHERE view_schema = current_schema() AND view_name = 'rollup_1m')",
    )
    return "continuous aggregate" if continuous else "table"
