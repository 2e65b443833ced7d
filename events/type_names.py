"""What the type of an event may be called. Pure."""

import re

from events.limits import MAX_TYPE

_has_sound_characters = re.compile(r"[A-Za-z0-9._:/-]+").fullmatch


def is_type_name(name: str) -> bool:
    """Whether an event may have this type."""
    return len(name) <= MAX_TYPE and _has_sound_characters(name) is not None
