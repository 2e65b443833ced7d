"""Hints from ingest to workers: which partitions have new segments."""

from typing import Any, Final

from celery import current_app
from kombu import Connection, Producer
from kombu.exceptions import ChannelError

from processing.tasks import drain
from telemetry.hints import HintSender

SECONDS: Final = 0.5
# With so many messages unread there are no workers, or plenty to do: another hint would only take memory.
FULL: Final = 500


class HintPublisher:
    """Sends `drain` tasks on a broker connection of its own, which gives up after half a second.

    The pool that Celery's `delay` takes connections from waits ten times as long, and would tie up other tasks.
    """

    def __init__(self, *, url: str | None = None) -> None:
        self._url = url
        self._connection: Connection | None = None
        self._producer: Producer | None = None

    def __call__(self, marked: frozenset[tuple[str, int]]) -> None:
        """`marked`: (database alias, partition). Raises what the transport raises."""
        try:
            self._publish(marked)
        except Exception:
            self.close()
            raise

    def _publish(self, marked: frozenset[tuple[str, int]]) -> None:
        producer = self._open()
        if unread(producer) >= FULL:
            return
        for using in sorted({using for using, _ in marked}):
            partitions = sorted(partition for alias, partition in marked if alias == using)
            drain.apply_async(args=(partitions, using), producer=producer, retry=False)

    def _open(self) -> Producer:
        if self._producer is None:
            timeouts = {"socket_timeout": SECONDS, "socket_connect_timeout": SECONDS, "max_retries": 0}
            self._connection = current_app.connection_for_write(self._url, transport_options=timeouts)
            self._producer = current_app.amqp.Producer(self._connection, auto_declare=False)
        return self._producer

    def close(self) -> None:
        """Let go of the connection; the next call opens another."""
        connection, self._connection, self._producer = self._connection, None, None
        if connection is not None:
            connection.release()


def unread(producer: Producer) -> int:
    """How many messages wait in the queue that hints and scheduled tasks go to."""
    channel: Any = producer.channel
    try:
        return int(channel.queue_declare(current_app.conf.task_default_queue, passive=True).message_count)
    except ChannelError:
        return 0


partition_hints: HintSender[tuple[str, int]] = HintSender(HintPublisher(), name="partitions")
