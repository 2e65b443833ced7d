"""How much one live socket, and one process, takes."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Counts, bytes and seconds; docs/live.md names those that clients meet."""

    sockets: int = 500
    subscriptions: int = 4
    frame_bytes: int = 4096
    frames_per_second: float = 20.0
    burst: int = 60
    mistakes: int = 10
    credit: int = 8
    recheck_seconds: float = 5.0
    authenticate_seconds: float = 10.0
    acknowledge_seconds: float = 60.0
    database_seconds: float = 3.0
