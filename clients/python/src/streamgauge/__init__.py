"""Client of Streamgauge: every event is stored once, or you are told."""

from streamgauge.aio import AsyncClient
from streamgauge.batching import BatchSize
from streamgauge.buffer import DiskBuffer
from streamgauge.client import Client
from streamgauge.core import Bound, Counts
from streamgauge.errors import (
    BufferFull,
    BufferUnusable,
    ClientClosed,
    InvalidEvent,
    NotStored,
    Rejected,
    RequestRefused,
    StreamgaugeError,
    Undelivered,
)
from streamgauge.receipts import Receipt, Stored
from streamgauge.retries import RetryPolicy

__all__ = [
    "AsyncClient",
    "BatchSize",
    "Bound",
    "BufferFull",
    "BufferUnusable",
    "Client",
    "ClientClosed",
    "Counts",
    "DiskBuffer",
    "InvalidEvent",
    "NotStored",
    "Receipt",
    "Rejected",
    "RequestRefused",
    "RetryPolicy",
    "Stored",
    "StreamgaugeError",
    "Undelivered",
]
