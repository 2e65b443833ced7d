"""What happens elsewhere and matters here."""

from datetime import datetime
from typing import Any

from celery.signals import worker_process_init
from django.dispatch import receiver

from events.signals import events_stored
from processing.hints import partition_hints
from processing.sweeping import Sweeper


@receiver(events_stored)
def hint_partitions(*, partitions: frozenset[int], received_at: datetime, using: str, **_: Any) -> None:
    partition_hints.mark((using, partition) for partition in partitions)


@worker_process_init.connect
def start_sweeper(**_: Any) -> None:
    Sweeper().start()
