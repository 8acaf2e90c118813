"""Codecs: what they accept, and that no input makes them hold more than they were allowed."""

from __future__ import annotations

import struct
import tracemalloc
import zlib
from collections.abc import Callable

import lz4.frame
import pytest
import zstandard
from cramjam import snappy
from hypothesis import given
from hypothesis import strategies as st

from kstream.records.compression import Codec, compress, decompress
from kstream.records.errors import CorruptBatch, DecompressedTooLarge
from tests.records.strategies import result_of

COMPRESSED = [Codec.GZIP, Codec.SNAPPY, Codec.LZ4, Codec.ZSTD]
XERIAL = b"\x82SNAPPY\x00\x00\x00\x00\x01\x00\x00\x00\x01"
TEXT = b"one two three " * 500


def block(data: bytes) -> bytes:
    raw = bytes(snappy.compress_raw(data))
    return struct.pack(">i", len(raw)) + raw


@given(data=st.binary(max_size=300), codec=st.sampled_from(Codec), times=st.integers(0, 2000))
def test_round_trip(data: bytes, codec: Codec, times: int) -> None:
    whole = data * times
    assert decompress(codec, compress(codec, whole), len(whole)) == whole


@pytest.mark.parametrize("codec", Codec)
def test_any_buffer_will_do(codec: Codec) -> None:
    for make in (bytes, bytearray, memoryview, lambda data: memoryview(b"." + data)[1:]):
        packed = compress(codec, make(TEXT))
        assert isinstance(packed, bytes)
        unpacked = decompress(codec, make(packed), len(TEXT))
        assert isinstance(unpacked, bytes)
        assert unpacked == TEXT


@pytest.mark.parametrize("codec", Codec)
def test_one_byte_over_the_limit_is_too_large(codec: Codec) -> None:
    packed = compress(codec, TEXT)
    with pytest.raises(DecompressedTooLarge, match=str(len(TEXT) - 1)):
        decompress(codec, packed, len(TEXT) - 1)
    # The codec's context is as good as new afterwards.
    assert decompress(codec, packed, len(TEXT)) == TEXT


@pytest.mark.parametrize("codec", COMPRESSED)
def test_a_bomb_costs_no_more_than_its_limit(codec: Codec) -> None:
    bomb = compress(codec, bytes(64 << 20))
    tracemalloc.start()
    try:
        with pytest.raises(DecompressedTooLarge):
            decompress(codec, bomb, 1 << 20)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    # Snappy's is as large as itself: each block is looked at before the limit is met.
    assert peak < 3 << 20


def test_a_snappy_block_is_measured_before_it_is_unpacked() -> None:
    declares_4_gib = b"\xff\xff\xff\xff\x0f" + b"\x00a"
    for data in (declares_4_gib, XERIAL + struct.pack(">i", len(declares_4_gib)) + declares_4_gib):
        with pytest.raises(DecompressedTooLarge):
            decompress(Codec.SNAPPY, data, 1 << 20)
    declares_1_mib = b"\x80\x80\x40" + b"\x00a"
    with pytest.raises(CorruptBatch, match="declares 1048576"):
        decompress(Codec.SNAPPY, declares_1_mib, 1 << 20)


def test_zstd_frames_with_and_without_their_size() -> None:
    for with_size in (True, False):
        packed = zstandard.ZstdCompressor(write_content_size=with_size).compress(TEXT)
        assert decompress(Codec.ZSTD, packed, len(TEXT)) == TEXT
        with pytest.raises(DecompressedTooLarge):
            decompress(Codec.ZSTD, packed, len(TEXT) - 1)


def test_zstd_after_a_large_batch() -> None:
    large = compress(Codec.ZSTD, TEXT * 1000)
    for _ in range(2):
        assert len(decompress(Codec.ZSTD, large)) == len(TEXT) * 1000
        assert decompress(Codec.ZSTD, compress(Codec.ZSTD, TEXT)) == TEXT


@pytest.mark.parametrize("codec", [Codec.GZIP, Codec.SNAPPY, Codec.ZSTD])
def test_streams_end_to_end_are_one(codec: Codec) -> None:
    twice = compress(codec, TEXT) * 2
    assert decompress(codec, twice, 2 * len(TEXT)) == 2 * TEXT
    with pytest.raises(DecompressedTooLarge):
        decompress(codec, twice, 2 * len(TEXT) - 1)


@pytest.mark.parametrize("codec", [Codec.GZIP, Codec.LZ4])
def test_bytes_behind_the_end_are_ignored_where_kafka_ignores_them(codec: Codec) -> None:
    assert decompress(codec, compress(codec, TEXT) + b"junkjunk", len(TEXT)) == TEXT


@pytest.mark.parametrize("codec", [Codec.SNAPPY, Codec.ZSTD])
def test_bytes_behind_the_end_are_refused_where_kafka_refuses_them(codec: Codec) -> None:
    with pytest.raises(CorruptBatch):
        decompress(codec, compress(codec, TEXT) + b"junkjunk", len(TEXT))


@pytest.mark.parametrize("codec", COMPRESSED)
def test_a_stream_cut_short_is_corrupt(codec: Codec) -> None:
    packed = compress(codec, bytes(range(256)) * 20)
    whole_blocks = {len(XERIAL)}
    for size in range(len(packed)):
        if codec is Codec.SNAPPY and size in whole_blocks:
            continue
        with pytest.raises(CorruptBatch):
            decompress(codec, packed[:size], 1 << 20)


@pytest.mark.parametrize("data", [TEXT, bytes(300_000), bytes(range(256)) * 2000, b""])
@pytest.mark.parametrize("has_checksum", [False, True])
def test_zstd_frames_of_all_kinds_are_whole_only_at_their_end(data: bytes, has_checksum: bool) -> None:
    writer = zstandard.ZstdCompressor(write_checksum=has_checksum).compressobj()
    packed = writer.compress(data[:100]) + writer.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)
    packed += writer.compress(data[100:]) + writer.flush()
    skippable = b"\x53\x2a\x4d\x18" + b"\x05\x00\x00\x00" + b"notes"
    for stream, size in ((packed, len(data)), (skippable + packed + skippable + packed, 2 * len(data))):
        assert len(decompress(Codec.ZSTD, stream, 1 << 20)) == size
        for cut in (1, 2, 3, 4, 5, len(packed) - 1):
            with pytest.raises(CorruptBatch, match="zstd"):
                decompress(Codec.ZSTD, stream[:-cut], 1 << 20)


@pytest.mark.parametrize("codec", [5, 6, 7])
def test_unknown_codecs_are_corrupt(codec: int) -> None:
    with pytest.raises(CorruptBatch, match="codec"):
        decompress(codec, b"", 10)


@given(data=st.binary(max_size=200), codec=st.sampled_from(COMPRESSED), keeps_front=st.booleans())
def test_junk_is_corrupt_or_small(data: bytes, codec: Codec, keeps_front: bool) -> None:
    junk = compress(codec, TEXT)[:20] + data if keeps_front else data
    unpacked = result_of(lambda: decompress(codec, junk, 1 << 16), CorruptBatch)
    assert isinstance(unpacked, CorruptBatch) or len(unpacked) <= 1 << 16


def test_snappy_without_framing() -> None:
    assert decompress(Codec.SNAPPY, bytes(snappy.compress_raw(TEXT)), len(TEXT)) == TEXT


@pytest.mark.parametrize("versions", [struct.pack("<ii", 1, 1), struct.pack(">ii", 9, 9), bytes(8)])
def test_xerial_versions_are_not_looked_at(versions: bytes) -> None:
    # As Kafka; some clients write them in the other byte order.
    assert decompress(Codec.SNAPPY, XERIAL[:8] + versions + block(TEXT), len(TEXT)) == TEXT


def test_xerial_is_what_we_write_in_blocks_of_32_kib() -> None:
    data = bytes(80 * 1024)
    packed = compress(Codec.SNAPPY, data)
    assert packed.startswith(XERIAL)
    sizes = []
    position = len(XERIAL)
    while position < len(packed):
        (size,) = struct.unpack_from(">i", packed, position)
        sizes.append(len(snappy.decompress_raw(packed[position + 4 : position + 4 + size])))
        position += 4 + size
    assert sizes == [32768, 32768, 16384]


@pytest.mark.parametrize("size", [-1, -(2**31), 6, 2**31 - 1])
def test_xerial_blocks_that_lie_about_their_size(size: int) -> None:
    with pytest.raises(CorruptBatch, match="snappy"):
        decompress(Codec.SNAPPY, XERIAL + struct.pack(">i", size) + b"abcde", 1 << 20)


LZ4_OPTIONS: list[Callable[[bytes], bytes]] = [
    lambda data: lz4.frame.compress(data, block_linked=False, store_size=True),
    lambda data: lz4.frame.compress(data, block_linked=False, content_checksum=True, block_checksum=True),
    lambda data: lz4.frame.compress(data, block_linked=False, block_size=lz4.frame.BLOCKSIZE_MAX4MB),
]


@pytest.mark.parametrize("pack", LZ4_OPTIONS)
def test_lz4_options(pack: Callable[[bytes], bytes]) -> None:
    assert decompress(Codec.LZ4, pack(TEXT), len(TEXT)) == TEXT


def test_lz4_with_dependent_blocks_is_refused_as_by_kafka() -> None:
    data = TEXT * 20
    packed = lz4.frame.compress(data, block_linked=True, block_size=lz4.frame.BLOCKSIZE_MAX64KB)
    with pytest.raises(CorruptBatch, match="dependent"):
        decompress(Codec.LZ4, packed, len(data))


def test_lz4_checksum_is_checked() -> None:
    packed = bytearray(lz4.frame.compress(TEXT, block_linked=False, content_checksum=True, store_size=False))
    packed[-1] ^= 1
    with pytest.raises(CorruptBatch, match="lz4"):
        decompress(Codec.LZ4, packed, len(TEXT))


def test_zlib_without_gzip_header_is_corrupt() -> None:
    with pytest.raises(CorruptBatch, match="gzip"):
        decompress(Codec.GZIP, zlib.compress(TEXT), len(TEXT))
