"""The deployed versions a process folds by, remembered until the routing version moves."""

from processing.connections import type_Cursor
from processing.pipeline import Router
from processing.storage import deployed_plans

_routers: dict[str, tuple[int, Router]] = {}


def router_at(cursor: type_Cursor, *, using: str, routing_version: int) -> Router:
    """Plans at least as new as `routing_version`, which came with the segments that are to be folded."""
    remembered = _routers.get(_place(cursor, using))
    if remembered is None or remembered[0] < routing_version:
        plans, version = deployed_plans(cursor)
        remembered = (routing_version if version is None else version, Router(plans))
        _routers[_place(cursor, using)] = remembered
    return remembered[1]


def forget_routers() -> None:
    """Start again from rows, as a new process would."""
    _routers.clear()


def _place(cursor: type_Cursor, using: str) -> str:
    return f"{using}/{cursor.connection.info.dbname}"
