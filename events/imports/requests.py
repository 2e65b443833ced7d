"""What an upload's query asks for, the same at every door. Pure."""

from collections.abc import Mapping as Parameters
from dataclasses import dataclass
from typing import Final

from events.errors import RequestRefused
from events.imports.mapping import Mapping, parse_mapping

_KNOWN: Final = frozenset({"name", "format", "mapping", "preview", "project"})
_TRUE: Final = {"1": True, "true": True, "0": False, "false": False}


@dataclass(frozen=True, slots=True)
class UploadOptions:
    """`file_format` is "" for what the file itself tells."""

    name: str
    file_format: str
    mapping: Mapping | None
    preview: bool


def read_upload_options(parameters: Parameters[str, str]) -> UploadOptions:
    """Raises RequestRefused (400)."""
    if unknown := parameters.keys() - _KNOWN:
        raise _invalid(f"{min(unknown)!r} is not a parameter; known: {', '.join(sorted(_KNOWN))}.")
    preview = _TRUE.get(parameters.get("preview", "0"))
    if preview is None:
        raise _invalid(f"preview must be 1 or 0, not {parameters['preview']!r}.")
    text = parameters.get("mapping", "")
    mapping = parse_mapping(text.encode("utf-8", "surrogatepass")) if text else None
    return UploadOptions(parameters.get("name", ""), parameters.get("format", ""), mapping, preview)


def missing_file() -> RequestRefused:
    return RequestRefused(400, "missing_file", "Send the file as the field `file`, or as the body itself.")


def _invalid(detail: str) -> RequestRefused:
    return RequestRefused(400, "invalid_parameter", detail)
