"""How much one ingest socket, one key and one process take."""

from dataclasses import dataclass
from typing import Final

SOCKET_PATH: Final = "/ws/v1/ingest"
MAX_FRAME_BYTES: Final = 512 * 1024
# What a frame costs of the credit in bytes beyond its own: a million frames of one byte must not be cheap.
FRAME_COST: Final = 100
# On a restart; a flush that hangs is given up by the writer after as long.
DRAIN_SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True)
class SocketLimits:
    """Counts, bytes and seconds; docs/websocket.md names those that clients meet.

    `events` and `bytes` are what a client may have unanswered. They shrink to the `least_` ones, which hold the
    largest frame, while the writer's queue is full or many sockets share it.
    """

    sockets: int = 200
    sockets_per_key: int = 50
    frame_bytes: int = MAX_FRAME_BYTES
    first_bytes: int = 4 * 1024
    events: int = 10_000
    least_events: int = 1_000
    bytes: int = 4 * 1024 * 1024
    least_bytes: int = 1024 * 1024
    mistakes: int = 10
    # Daphne buffers what a client does not read, without a bound, until a ping goes unanswered for a minute.
    answer_bytes_per_second: float = 256 * 1024
    answer_burst: float = 2 * 1024 * 1024
    authenticate_seconds: float = 5.0
    recheck_seconds: float = 5.0
    idle_seconds: float = 600.0
    verdict_seconds: float = 25.0
    drain_seconds: float = DRAIN_SECONDS
