"""Bad requests and bad events, each with the status and code that docs/ingest.md promises."""

import gzip
from dataclasses import dataclass

from backports import zstd

JSON = "application/json"
NDJSON = "application/x-ndjson"
KIB = 1024


@dataclass(frozen=True)
class BadRequest:
    """A request that is refused as a whole: nothing of it is looked at further."""

    name: str
    body: bytes
    status: int
    code: str
    content_type: str = JSON
    encoding: str | None = None


@dataclass(frozen=True)
class BadEvent:
    """The JSON text of one event that is refused, while those beside it are stored."""

    name: str
    text: bytes
    code: str
    pointer: str = ""


def _event(members: bytes) -> bytes:
    return b'{"type":"t",' + members + b"}"


def _data(value: bytes) -> bytes:
    return _event(b'"data":{"x":' + value + b"}")


def nested(depth: int) -> bytes:
    """An event that nests `depth` levels, its own object and `data` included."""
    return _event(b'"data":' + b'{"a":' * (depth - 2) + b"{}" + b"}" * (depth - 2))


def of_size(size: int) -> bytes:
    """An event of exactly `size` bytes."""
    empty = _data(b'""')
    return _data(b'"' + b"x" * (size - len(empty)) + b'"')


GOOD = b'{"type":"t"}'
MANY = b"[" + b",".join([GOOD] * 5_001) + b"]"

BAD_REQUESTS = [
    BadRequest("an empty body", b"", 400, "malformed_json"),
    BadRequest("an empty body of lines", b"", 400, "empty_request", NDJSON),
    BadRequest("an empty array", b"[]", 400, "empty_request"),
    BadRequest("an empty array with space", b" [ \n ] ", 400, "empty_request"),
    BadRequest("blank lines only", b"\n \r\n\t\n", 400, "empty_request", NDJSON),
    BadRequest("white space only", b" \n ", 400, "malformed_json"),
    BadRequest("invalid UTF-8", b'{"type":"t","source":"\xff"}', 400, "invalid_utf8"),
    BadRequest("invalid UTF-8 in one of an array", b'[{"type":"t"},{"type":"\xc3"}]', 400, "invalid_utf8"),
    BadRequest("a surrogate in UTF-8", b'{"type":"t","source":"\xed\xa0\x80"}', 400, "invalid_utf8"),
    BadRequest("an overlong slash", b'{"type":"t","source":"\xc0\xaf"}', 400, "invalid_utf8"),
    BadRequest("UTF-16", '{"type":"t"}'.encode("utf-16"), 400, "invalid_utf8"),
    BadRequest("UTF-16 without a mark", '{"type":"t"}'.encode("utf-16-le"), 400, "malformed_json"),
    BadRequest("a byte order mark", b"\xef\xbb\xbf" + GOOD, 400, "malformed_json"),
    BadRequest("NaN", _data(b"NaN"), 400, "malformed_json"),
    BadRequest("Infinity", _event(b'"value":Infinity'), 400, "malformed_json"),
    BadRequest("-Infinity", b"[" + _event(b'"value":-Infinity') + b"]", 400, "malformed_json"),
    BadRequest("a raw NUL in a string", b'{"type":"t","source":"\x00"}', 400, "malformed_json"),
    BadRequest("a raw newline in a string", b'{"type":"t","source":"\n"}', 400, "malformed_json"),
    BadRequest("a trailing comma", b"[" + GOOD + b",]", 400, "malformed_json"),
    BadRequest("a missing comma", b"[" + GOOD + GOOD + b"]", 400, "malformed_json"),
    BadRequest("an unfinished array", b"[" + GOOD, 400, "malformed_json"),
    BadRequest("an unfinished event", b'{"type":"t"', 400, "malformed_json"),
    BadRequest("text after an event", GOOD + b"x", 400, "malformed_json"),
    BadRequest("two events without an array", GOOD + GOOD, 400, "malformed_json"),
    BadRequest("single quotes", b"{'type':'t'}", 400, "malformed_json"),
    BadRequest("a comment", b'{"type":"t"} // x', 400, "malformed_json"),
    BadRequest("a bare word", b"hello", 400, "malformed_json"),
    BadRequest("a leading zero", _event(b'"value":01'), 400, "malformed_json"),
    BadRequest("a bare fraction", _event(b'"value":.5'), 400, "malformed_json"),
    BadRequest("a bad escape", b'{"type":"t","source":"\\x41"}', 400, "malformed_json"),
    BadRequest("depth 5,000", _data(b"[" * 5_000 + b"]" * 5_000), 400, "too_deep"),
    BadRequest("depth 5,000 of arrays", b"[" * 5_000 + b"]" * 5_000, 400, "too_deep"),
    BadRequest("a million brackets", b"[" * 1_000_000, 400, "too_deep"),
    BadRequest("5,001 events", MANY, 413, "too_many_events"),
    BadRequest("5,001 lines", (GOOD + b"\n") * 5_001, 413, "too_many_events", NDJSON),
    BadRequest("a body over 10 MiB", b" " * (10 * KIB * KIB) + GOOD, 413, "body_too_large"),
    BadRequest("a gzip bomb", gzip.compress(bytes(100 * KIB * KIB)), 413, "body_too_large", JSON, "gzip"),
    BadRequest("a zstd bomb", zstd.compress(bytes(100 * KIB * KIB)), 413, "body_too_large", JSON, "zstd"),
    BadRequest("many empty members", gzip.compress(b"") * 6_000, 413, "too_many_members", JSON, "gzip"),
    BadRequest("truncated gzip", gzip.compress(GOOD)[:-4], 400, "broken_encoding", JSON, "gzip"),
    BadRequest("truncated zstd", zstd.compress(GOOD)[:-2], 400, "broken_encoding", JSON, "zstd"),
    BadRequest("gzip with a tail", gzip.compress(GOOD) + b"tail", 400, "broken_encoding", JSON, "gzip"),
    BadRequest("no gzip at all", GOOD, 400, "broken_encoding", JSON, "gzip"),
    BadRequest("compressed nothing", gzip.compress(b""), 400, "malformed_json", JSON, "gzip"),
    BadRequest("brotli", GOOD, 415, "unsupported_encoding", JSON, "br"),
    BadRequest("gzip twice", GOOD, 415, "unsupported_encoding", JSON, "gzip, gzip"),
    BadRequest("a wrong charset", GOOD, 415, "unsupported_charset", "application/json; charset=latin-1"),
    BadRequest("text/plain", GOOD, 415, "unsupported_media_type", "text/plain"),
    BadRequest("a form", b"type=t", 415, "unsupported_media_type", "application/x-www-form-urlencoded"),
]

BAD_EVENTS = [
    BadEvent("NUL, escaped", _data(b'"a\\u0000b"'), "nul_character", "/data/x"),
    BadEvent("NUL in a key", _event(b'"data":{"\\u0000":1}'), "nul_character", "/data"),
    BadEvent("NUL in a field", _event(b'"subject":"\\u0000"'), "nul_character", "/subject"),
    BadEvent("a lone surrogate", _data(b'"\\ud800"'), "lone_surrogate", "/data/x"),
    BadEvent("a lone low surrogate", _event(b'"source":"\\udfff"'), "lone_surrogate", "/source"),
    BadEvent("surrogates in the wrong order", _data(b'"\\udc00\\ud800"'), "lone_surrogate", "/data/x"),
    BadEvent("a lone surrogate in a key", _event(b'"data":{"\\ud83d":1}'), "lone_surrogate", "/data"),
    BadEvent("depth 33", nested(33), "too_deep"),
    BadEvent("depth 200", nested(200), "too_deep"),
    BadEvent("33 arrays", _data(b"[" * 31 + b"]" * 31), "too_deep"),
    BadEvent("1e400 in data", _data(b"1e400"), "number_out_of_range"),
    BadEvent("-1e400 in data", _data(b"[-1e400]"), "number_out_of_range"),
    BadEvent("1e400 as value", _event(b'"value":1e400'), "number_out_of_range"),
    BadEvent("a huge integer in data", _data(b"9" * 400), "number_out_of_range"),
    BadEvent("a huge integer as value", _event(b'"value":' + b"9" * 400), "number_out_of_range"),
    BadEvent("100,000 digits", _data(b"9" * 100_000), "number_out_of_range"),
    BadEvent("a number only the database refuses", _data(b"1e-99999"), "not_storable"),
    BadEvent("a field twice", b'{"type":"t","type":"t"}', "duplicate_key"),
    BadEvent("a field twice, the type differs", b'{"type":"t","value":1,"value":"x"}', "duplicate_key"),
    BadEvent("a key of data twice", _event(b'"data":{"a":1,"a":1}'), "duplicate_key"),
    BadEvent("a nested key twice", _data(b'[{"b":{"a":1,"a":2}}]'), "duplicate_key"),
    BadEvent("a key twice with space", b'{"type" : "t", "type"\n:\t"t"}', "duplicate_key"),
    BadEvent("a key twice, one with space", _event(b'"data":{"a" :1,"a":1}'), "duplicate_key"),
    BadEvent("a key twice, once escaped", _event(b'"data":{"a":1,"\\u0061":1}'), "duplicate_key"),
    BadEvent(
        "a key twice beside text like keys",
        _event(b'"data":{"a":1,"a":2,"b":"\\":\\":","c\\"":" :"}'),
        "duplicate_key",
    ),
    BadEvent("a key twice beside a colon", _event(b'"data":{"a" :":","a" :":"}'), "duplicate_key"),
    BadEvent("data twice", b'{"type":"t","data":{},"data":{}}', "duplicate_key"),
    BadEvent("year 9999", _event(b'"time":"9999-12-31T23:59:59Z"'), "time_out_of_range", "/time"),
    BadEvent("year 1", _event(b'"time":"0001-01-01T00:00:00Z"'), "time_out_of_range", "/time"),
    BadEvent("before year 1", _event(b'"time":"0001-01-01T00:00:00+14:00"'), "time_out_of_range", "/time"),
    BadEvent("after year 9999", _event(b'"time":"9999-12-31T23:59:59-14:00"'), "time_out_of_range", "/time"),
    BadEvent("a year of five digits", _event(b'"time":"10000-01-01T00:00:00Z"'), "invalid_time", "/time"),
    BadEvent("no zone", _event(b'"time":"2026-01-01T00:00:00"'), "time_without_zone", "/time"),
    BadEvent("a leap second", _event(b'"time":"2016-12-31T23:59:60Z"'), "invalid_time", "/time"),
    BadEvent("hour 24", _event(b'"time":"2026-01-01T24:00:00Z"'), "invalid_time", "/time"),
    BadEvent("the 30th of February", _event(b'"time":"2026-02-30T00:00:00Z"'), "invalid_time", "/time"),
    BadEvent("no seconds", _event(b'"time":"2026-01-01T00:00Z"'), "invalid_time", "/time"),
    BadEvent("a date alone", _event(b'"time":"2026-01-01"'), "invalid_time", "/time"),
    BadEvent("an empty time", _event(b'"time":""'), "invalid_time", "/time"),
    BadEvent("seconds since 1970", _event(b'"time":1767225600'), "wrong_type", "/time"),
    BadEvent("257 KiB", of_size(257 * KIB), "event_too_large"),
    BadEvent("256 KiB and a byte", of_size(256 * KIB + 1), "event_too_large"),
    BadEvent("no type", b"{}", "missing_field", "/type"),
    BadEvent("type null", b'{"type":null}', "wrong_type", "/type"),
    BadEvent("type a number", b'{"type":1}', "wrong_type", "/type"),
    BadEvent("type empty", b'{"type":""}', "too_short", "/type"),
    BadEvent("type with a space", b'{"type":"a b"}', "invalid_format", "/type"),
    BadEvent("type with a newline at its end", b'{"type":"a\\n"}', "invalid_format", "/type"),
    BadEvent("type with an umlaut", '{"type":"ä"}'.encode(), "invalid_format", "/type"),
    BadEvent("type of 201 characters", b'{"type":"' + b"a" * 201 + b'"}', "too_long", "/type"),
    BadEvent("id empty", _event(b'"id":""'), "too_short", "/id"),
    BadEvent("id a number", _event(b'"id":7'), "wrong_type", "/id"),
    BadEvent("id of 257 characters", _event(b'"id":"' + b"x" * 257 + b'"'), "too_long", "/id"),
    BadEvent("source an array", _event(b'"source":[]'), "wrong_type", "/source"),
    BadEvent("source too long", _event(b'"source":"' + b"x" * 1025 + b'"'), "too_long", "/source"),
    BadEvent("subject true", _event(b'"subject":true'), "wrong_type", "/subject"),
    BadEvent("subject too long", _event(b'"subject":"' + b"x" * 1025 + b'"'), "too_long", "/subject"),
    BadEvent("key an object", _event(b'"key":{}'), "wrong_type", "/key"),
    BadEvent("key too long", _event(b'"key":"' + b"x" * 1025 + b'"'), "too_long", "/key"),
    BadEvent("value a string", _event(b'"value":"1"'), "wrong_type", "/value"),
    BadEvent("value true", _event(b'"value":true'), "wrong_type", "/value"),
    BadEvent("data an array", _event(b'"data":[]'), "wrong_type", "/data"),
    BadEvent("data a string", _event(b'"data":"{}"'), "wrong_type", "/data"),
    BadEvent("data a number", _event(b'"data":1'), "wrong_type", "/data"),
    BadEvent("data false", _event(b'"data":false'), "wrong_type", "/data"),
    BadEvent("an unknown field", _event(b'"colour":"red"'), "unknown_field", "/colour"),
    BadEvent("an unknown field with a slash", _event(b'"a/b~c":1'), "unknown_field", "/a~1b~0c"),
    BadEvent("a known field in capitals", _event(b'"Value":1'), "unknown_field", "/Value"),
    BadEvent("a scalar", b"1", "wrong_type"),
    BadEvent("a string", b'"type"', "wrong_type"),
    BadEvent("null", b"null", "wrong_type"),
]

# Texts that only the fast checks could take for one of the above.
GOOD_EVENTS = [
    ("depth 32", nested(32)),
    ("256 KiB", of_size(256 * KIB)),
    ("an integer of 308 digits", _data(b"9" * 308)),
    ("the smallest double", _data(b"5e-324")),
    ("a surrogate pair", _data(b'"\\ud83d\\ude00"')),
    ("text like a key", _event(b'"data":{"a":"\\":","b":"\\":\\":"}')),
    ("text like NUL", _data(b'"\\\\u0000"')),
    ("text of brackets", _data(b'"' + b"[{" * 100 + b'"')),
    ("a key with a quote", _event(b'"data":{"a\\"":1,"a":2}')),
    ("a key with a backslash", _event(b'"data":{"a\\\\":1,"a":2}')),
    ("space before every colon", b'{"type" :\t"t" , "data"\n: {"a" : {"b" : [ ] } } }'),
    ("an empty key", _event(b'"data":{"":1}')),
    ("strings of colons", _event(b'"data":{":":":",";":":"}')),
    ("every field null", b'{"type":"t","id":null,"source":null,"subject":null,"key":null,"time":null,'
     b'"value":null,"data":null}'),
    ("empty strings", _event(b'"source":"","subject":"","key":""')),
    ("the longest fields", b'{"type":"' + b"a" * 200 + b'","id":"' + "ä".encode() * 256 + b'","source":"'
     + "日".encode() * 1024 + b'","key":"' + b"k" * 1024 + b'"}'),
    ("an id that looks like a ULID", _event(b'"id":"0' + "ß".encode() * 25 + b'"')),
]  # fmt: skip
