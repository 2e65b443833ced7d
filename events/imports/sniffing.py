"""What a file is, by its name and first bytes. Pure."""

from typing import Final, Literal, get_args

from events.errors import RequestRefused

FileFormat = Literal["ndjson", "csv", "parquet"]
Encoding = Literal["", "gzip", "zstd"]
FORMATS: Final[tuple[FileFormat, ...]] = get_args(FileFormat)
BOM: Final = b"\xef\xbb\xbf"

_BY_NAME: Final[dict[str, FileFormat]] = {
    ".ndjson": "ndjson", ".jsonl": "ndjson", ".json": "ndjson", ".csv": "csv", ".tsv": "csv", ".txt": "csv",
    ".parquet": "parquet", ".pq": "parquet",
}  # fmt: skip
_BY_TYPE: Final[dict[str, FileFormat]] = {
    "application/x-ndjson": "ndjson", "application/jsonl": "ndjson", "text/csv": "csv",
    "text/tab-separated-values": "csv", "application/vnd.apache.parquet": "parquet",
}  # fmt: skip
_COMPRESSED: Final = (".gz", ".zst", ".gzip", ".zstd")


def detect_encoding(head: bytes) -> Encoding:
    """How a file that begins with `head` is compressed."""
    if head.startswith(b"\x1f\x8b"):
        return "gzip"
    return "zstd" if head.startswith(b"\x28\xb5\x2f\xfd") else ""


def detect_format(*, name: str, content_type: str, head: bytes) -> FileFormat:
    """From the (decompressed) first bytes, the media type and the name. Raises RequestRefused (415)."""
    if head.startswith(b"PAR1"):
        return "parquet"
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise RequestRefused(415, "unsupported_charset", "The file is UTF-16; save it as UTF-8.")
    by_type = _BY_TYPE.get(content_type.partition(";")[0].strip().lower())
    found = by_type or _BY_NAME.get(_suffix(name))
    if found == "parquet":
        raise RequestRefused(415, "not_parquet", "The file is called Parquet, but does not begin like one.")
    if found is not None:
        return found
    if head.removeprefix(BOM).lstrip()[:1] == b"{":
        return "ndjson"
    raise RequestRefused(
        415,
        "unknown_format",
        f"Nothing says what {name!r} is; give ?format={' or '.join(FORMATS)}, or a name that ends in it.",
    )


def _suffix(name: str) -> str:
    plain = name.lower()
    for ending in _COMPRESSED:
        plain = plain.removesuffix(ending)
    return plain[plain.rfind(".") :] if "." in plain else ""
