"""The 128-bit identity key of an id that the sender chose. Pure."""

from hashlib import blake2b

_CROCKFORD = {character: value for value, character in enumerate("0123456789ABCDEFGHJKMNPQRSTVWXYZ")}
_CROCKFORD |= {character.lower(): value for character, value in _CROCKFORD.items()}


def identity_key(project_id: int, source: str, event_id: str) -> bytes:
    """16 bytes, equal for equal (project, source, id).

    For a UUIDv7 or ULID: its 48-bit time and an 80-bit hash, so that keys of one time lie together in the
    index (a fraction of the write-ahead log of random ones). Otherwise a 128-bit BLAKE2b hash (RFC 7693).
    """
    text = f"{project_id}\0{source}\0{event_id}".encode()
    stamp = _time_bits(event_id)
    if stamp is None:
        return blake2b(text, digest_size=16).digest()
    return stamp + blake2b(text, digest_size=10).digest()


def _time_bits(event_id: str) -> bytes | None:
    length = len(event_id)
    if length == 36 and event_id[14] == "7":
        return _uuid_time(event_id)
    if length == 26 and event_id[0] <= "7":
        return _ulid_time(event_id)
    return None


def _uuid_time(event_id: str) -> bytes | None:
    try:
        stamp = bytes.fromhex(event_id[:8] + event_id[9:13])
    except ValueError:
        return None
    return stamp if len(stamp) == 6 else None


def _ulid_time(event_id: str) -> bytes | None:
    stamp = 0
    for character in event_id[:10]:
        value = _CROCKFORD.get(character)
        if value is None:
            return None
        stamp = stamp << 5 | value
    return stamp.to_bytes(7, "big")[1:]
