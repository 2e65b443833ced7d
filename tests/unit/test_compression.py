"""Content-Encoding: what comes out is bounded, whatever goes in."""

import gzip
import random
from collections.abc import Callable

import pytest
from backports import zstd

from events.compression import decompress
from events.errors import RequestRefused
from events.limits import MAX_BODY_BYTES, MAX_EVENTS

TEXT = b'{"type":"a","value":1}\n' * 200
NOISE = random.Random(1).randbytes(200_000)
ENCODE: dict[str, Callable[[bytes], bytes]] = {"gzip": gzip.compress, "zstd": zstd.compress}
encodings = pytest.mark.parametrize("encoding", ["gzip", "zstd"])


def refusal(body: bytes, encoding: str) -> tuple[int, str]:
    with pytest.raises(RequestRefused) as caught:
        decompress(body, encoding)
    return caught.value.status, caught.value.code


@pytest.mark.parametrize("encoding", ["", "identity"])
def test_a_plain_body_is_returned_as_it_is(encoding: str) -> None:
    assert decompress(TEXT, encoding) is TEXT


@encodings
@pytest.mark.parametrize("text", [TEXT, NOISE, b""], ids=["text", "noise", "nothing"])
def test_a_compressed_body_comes_back_whole(encoding: str, text: bytes) -> None:
    assert decompress(ENCODE[encoding](text), encoding) == text


@encodings
def test_several_members_are_one_body(encoding: str) -> None:
    encode = ENCODE[encoding]
    assert decompress(encode(TEXT) + encode(b"") + encode(NOISE), encoding) == TEXT + NOISE


@encodings
@pytest.mark.parametrize("kept", [1, 10, -1, -8])
def test_a_truncated_body_is_400(encoding: str, kept: int) -> None:
    assert refusal(ENCODE[encoding](NOISE)[:kept], encoding) == (400, "broken_encoding")


@encodings
@pytest.mark.parametrize("garbage", [b"x", b"\0" * 20, b'{"type":"a"}'])
def test_trailing_garbage_is_400(encoding: str, garbage: bytes) -> None:
    assert refusal(ENCODE[encoding](TEXT) + garbage, encoding) == (400, "broken_encoding")


@encodings
def test_a_damaged_body_is_400(encoding: str) -> None:
    body = bytearray(ENCODE[encoding](NOISE))
    body[3] ^= 0xFF
    assert refusal(bytes(body), encoding) == (400, "broken_encoding")


def test_a_wrong_checksum_is_400() -> None:
    body = bytearray(gzip.compress(TEXT))
    body[-6] ^= 0xFF
    assert refusal(bytes(body), "gzip") == (400, "broken_encoding")


@encodings
def test_a_body_of_exactly_the_limit_passes(encoding: str) -> None:
    assert len(decompress(ENCODE[encoding](bytes(MAX_BODY_BYTES)), encoding)) == MAX_BODY_BYTES


@encodings
def test_a_body_one_byte_over_the_limit_is_413(encoding: str) -> None:
    assert refusal(ENCODE[encoding](bytes(MAX_BODY_BYTES + 1)), encoding) == (413, "body_too_large")


@encodings
def test_a_bomb_in_many_members_is_413(encoding: str) -> None:
    member = ENCODE[encoding](bytes(1024 * 1024))
    assert refusal(member * 2000, encoding) == (413, "body_too_large")


@encodings
def test_more_members_than_a_request_may_hold_events_are_413(encoding: str) -> None:
    """A body of empty members once took minutes, and all other requests waited."""
    member, tail = ENCODE[encoding](b""), ENCODE[encoding](TEXT)
    assert decompress(member * (MAX_EVENTS - 1) + tail, encoding) == TEXT
    assert refusal(member * MAX_EVENTS + tail, encoding) == (413, "too_many_members")
    assert refusal(member * (MAX_BODY_BYTES // len(member)), encoding) == (413, "too_many_members")


@pytest.mark.parametrize("encoding", ["br", "deflate", "gzip, gzip", "GZIP "])
def test_another_encoding_is_415(encoding: str) -> None:
    assert refusal(TEXT, encoding) == (415, "unsupported_encoding")
