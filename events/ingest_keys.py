"""Keys while the database is away: what the doors may believe, so that there is something to spool."""

from django.conf import settings

from accounts.authentication import ApiKeyAuthentication
from accounts.errors import KeysUnavailable
from accounts.identity import KeyIdentity
from accounts.keys import KeyCache
from events.writer import get_writer


async def resolve_key(keys: KeyCache, text: str) -> KeyIdentity:
    """The identity behind a key: from memory, from rows, or while this process spools as it was last read.

    Raises InvalidKey (401), KeysUnavailable (503).
    """
    identity = keys.resolve_cached(text)
    if identity is None and get_writer("default").spooling:
        identity = keys.last_known(text, within=settings.SPOOL_KEY_SECONDS)
    return identity or await keys.resolve(text)


class IngestKeyAuthentication(ApiKeyAuthentication):
    """The same at DRF's door."""

    def resolve(self, text: str) -> KeyIdentity:
        try:
            return super().resolve(text)
        except KeysUnavailable:
            known = None
            if get_writer("default").spooling:
                known = self.reader.last_known(text, within=settings.SPOOL_KEY_SECONDS)
            if known is None:
                raise
            return known
