"""What a Content-Type header says. Pure."""

from functools import lru_cache
from typing import Final

from events.errors import RequestRefused

_UTF8: Final = frozenset({"utf-8", "utf8", "us-ascii"})


@lru_cache(maxsize=64)
def split_content_type(content_type: str) -> tuple[str, str]:
    """(media type, charset), in lower case; the charset is utf-8 where none is named."""
    media_type, _, parameters = content_type.partition(";")
    charset = "utf-8"
    for parameter in parameters.split(";") if parameters else ():
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "charset":
            charset = value.strip().strip('"').lower()
    return media_type.strip().lower(), charset


def is_utf8(charset: str) -> bool:
    return charset in _UTF8


def require_utf8(charset: str) -> None:
    """Raises RequestRefused (415) for another charset."""
    if not is_utf8(charset):
        raise RequestRefused(415, "unsupported_charset", f"Charset {charset!r} is not supported; send UTF-8.")
