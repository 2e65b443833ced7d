"""What happened below becomes hints to live pages."""

from collections.abc import Iterable
from typing import Any

from django.dispatch import receiver

from events.signals import events_stored
from monitoring.live import Publisher
from processing.signals import windows_changed
from telemetry.hints import HintSender

# Hubs read at most four times a second: more hints than these would only cost Redis.
hints: HintSender[int] = HintSender(Publisher().publish, name="live", per_second=10)


@receiver(events_stored)
def mark_stored(sender: object, *, project_ids: Iterable[int], **_: Any) -> None:
    hints.mark(project_ids)


@receiver(windows_changed)
def mark_windows(sender: object, *, project_id: int, **_: Any) -> None:
    hints.mark([project_id])
