"""The five codecs of a record batch, each bounded: no input makes `decompress` hold more than it was allowed.

What is compressed is the records after the batch header, as one stream. The streams are those of the
Java client: gzip (RFC 1952), snappy in the framing of the xerial library (below), the LZ4 frame format
with independent blocks (KIP-57), zstd frames (KIP-110). Libraries are imported at first use: a broker
whose clients do not compress loads none.

The xerial framing: 16 bytes of header (0x82 "SNAPPY" 0x00, int32 version, int32 lowest compatible
version), then blocks, each an int32 length and that many bytes of raw snappy. A reader accepts one raw
snappy block as well.
"""

from __future__ import annotations

import struct
import threading
import zlib
from enum import IntEnum
from typing import TYPE_CHECKING

from kstream.records.errors import CorruptBatch, DecompressedTooLarge

if TYPE_CHECKING:
    from collections.abc import Callable

Buffer = bytes | bytearray | memoryview

SIZE_BYTES_MAX = 64 * 1024 * 1024
"""How large a batch's records may become when nobody says otherwise."""

_FIRST_PIECE_BYTES = 64 * 1024
_XERIAL_MAGIC = b"\x82SNAPPY\x00"
_XERIAL_HEADER = _XERIAL_MAGIC + struct.pack(">ii", 1, 1)
_XERIAL_BLOCK_BYTES = 32 * 1024
# A snappy element of three bytes stands for at most 64: what declares more cannot be a snappy block.
_SNAPPY_RATIO_MAX = 32
_LZ4_INDEPENDENT_BLOCKS = 0x20
_ZSTD_SKIPPABLE_MAGIC = b"\x2a\x4d\x18"  # behind a byte from 0x50 to 0x5f
_ZSTD_HEADER_BYTES_MIN = 5
_INT32 = struct.Struct(">i")
# A zstd context costs ten times what it costs to decompress a small batch with it. Each thread has its own,
# and drops it after a large batch: the context keeps the stream's window, which may be 128 MiB.
_ZSTD_CONTEXT_BYTES_MAX = 2 * 1024 * 1024
_thread = threading.local()


class Codec(IntEnum):
    """Bits 0 to 2 of a batch's attributes."""

    NONE = 0
    GZIP = 1
    SNAPPY = 2
    LZ4 = 3
    ZSTD = 4


# Kafka's default levels (KIP-390): gzip -1 is zlib's own default.
_DEFAULT_LEVEL = {Codec.GZIP: -1, Codec.LZ4: 9, Codec.ZSTD: 3}


def compress(codec: Codec, data: Buffer, level: int | None = None) -> bytes:
    """The records' bytes as one compressed stream. `level` is the codec's own scale; None is Kafka's
    default.
    """
    if codec is Codec.NONE:
        return bytes(data)
    if codec is Codec.SNAPPY:
        return _compress_snappy(data)
    chosen = _DEFAULT_LEVEL[codec] if level is None else level
    if codec is Codec.GZIP:
        stream = zlib.compressobj(chosen, wbits=31)
        return stream.compress(data) + stream.flush()
    if codec is Codec.LZ4:
        import lz4.frame

        framed: bytes = lz4.frame.compress(
            data, compression_level=chosen, block_linked=False, store_size=False
        )
        return framed
    import zstandard

    return zstandard.ZstdCompressor(level=chosen).compress(data)


def decompress(codec: int, data: Buffer, size_bytes_max: int = SIZE_BYTES_MAX) -> bytes:
    """The records' bytes.

    Raises `DecompressedTooLarge` above `size_bytes_max`, `CorruptBatch` for anything that is not a whole
    stream.
    """
    if codec == Codec.NONE:
        if len(data) > size_bytes_max:
            raise DecompressedTooLarge(size_bytes_max)
        return bytes(data)
    reader = _READERS.get(codec)
    if reader is None:
        raise CorruptBatch(f"unknown compression codec {codec}")
    return reader(data, size_bytes_max)


def _first_piece(data: Buffer, size_bytes_max: int) -> int:
    """How much room to give the first piece: enough for most batches, and never more than one byte past
    the limit.
    """
    return min(max(_FIRST_PIECE_BYTES, 8 * len(data)), size_bytes_max + 1)


def _decompress_gzip(data: Buffer, size_bytes_max: int) -> bytes:
    pieces: list[bytes] = []
    room = size_bytes_max
    rest: Buffer = data
    try:
        while True:
            member = zlib.decompressobj(wbits=31)
            while not member.eof:
                piece = member.decompress(rest, _first_piece(rest, room))
                rest = member.unconsumed_tail
                room -= len(piece)
                if room < 0:
                    raise DecompressedTooLarge(size_bytes_max)
                pieces.append(piece)
                if not rest and not piece and not member.eof:
                    raise CorruptBatch("gzip stream ends early")
            rest = member.unused_data
            # As java.util.zip does: another member may follow, anything else behind the trailer is ignored.
            if rest[:2] != b"\x1f\x8b":
                return pieces[0] if len(pieces) == 1 else b"".join(pieces)
    except zlib.error as error:
        raise CorruptBatch(f"gzip: {error}") from None


def _decompress_lz4(data: Buffer, size_bytes_max: int) -> bytes:
    import lz4.frame

    if len(data) < 7:
        raise CorruptBatch("lz4 frame is cut short")
    if not data[4] & _LZ4_INDEPENDENT_BLOCKS:
        # Kafka's own reader refuses these, so a consumer in Java could never read the batch.
        raise CorruptBatch("lz4 frame has dependent blocks")
    frame = lz4.frame.LZ4FrameDecompressor()
    pieces: list[bytes] = []
    room = size_bytes_max
    rest: Buffer = data
    try:
        while not frame.eof:
            piece: bytes = frame.decompress(rest, max_length=_first_piece(data, room))
            rest = b""
            room -= len(piece)
            if room < 0:
                raise DecompressedTooLarge(size_bytes_max)
            pieces.append(piece)
            if not piece and not frame.eof:
                raise CorruptBatch("lz4 frame ends early")
    except (RuntimeError, ValueError) as error:
        raise CorruptBatch(f"lz4: {error}") from None
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def _decompress_zstd(data: Buffer, size_bytes_max: int) -> bytes:
    import zstandard

    if not data:
        raise CorruptBatch("zstd stream is empty")
    pieces: list[bytes] = []
    room = size_bytes_max
    try:
        decompressor = getattr(_thread, "zstd", None)
        if decompressor is None:
            decompressor = _thread.zstd = zstandard.ZstdDecompressor()
        reader = decompressor.stream_reader(data, read_across_frames=True)
        while True:
            piece = reader.read(_first_piece(data, room))
            if not piece:
                break
            room -= len(piece)
            if room < 0:
                raise DecompressedTooLarge(size_bytes_max)
            pieces.append(piece)
        if not _ends_with_a_zstd_frame(memoryview(data), zstandard.frame_header_size):
            raise CorruptBatch("zstd stream ends early")
    except (zstandard.ZstdError, ValueError) as error:
        raise CorruptBatch(f"zstd: {error}") from None
    finally:
        if size_bytes_max - room > _ZSTD_CONTEXT_BYTES_MAX:
            _thread.zstd = None
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def _ends_with_a_zstd_frame(data: memoryview, frame_header_size: Callable[[memoryview], int]) -> bool:
    """Whether the last frame is all there: the library reads a frame cut short as if it ended there.

    A frame is a header, blocks of three bytes (bit 0 last, bits 1-2 type, then size) and their content,
    of which type 1 has one byte, and four bytes of checksum if the header says so (RFC 8878). `data` was
    decompressed, so its fields are sound.
    """
    at = 0
    end = len(data)
    while at < end:
        if data[at + 1 : at + 4] == _ZSTD_SKIPPABLE_MAGIC:
            at += 8 + int.from_bytes(data[at + 4 : at + 8], "little")
            continue
        if end - at < _ZSTD_HEADER_BYTES_MIN:
            return False
        checksum_bytes = 4 if data[at + 4] & 4 else 0
        at += frame_header_size(data[at:])
        is_last = False
        while not is_last:
            if end - at < 3:
                return False
            block = data[at] | data[at + 1] << 8 | data[at + 2] << 16
            at += 3 + (1 if block & 6 == 2 else block >> 3)
            is_last = block & 1 == 1
        at += checksum_bytes
    return at == end


def _compress_snappy(data: Buffer) -> bytes:
    from cramjam import snappy

    view = memoryview(data)
    pieces = [_XERIAL_HEADER]
    for start in range(0, len(view), _XERIAL_BLOCK_BYTES):
        block = bytes(snappy.compress_raw(view[start : start + _XERIAL_BLOCK_BYTES]))
        pieces.append(_INT32.pack(len(block)))
        pieces.append(block)
    return b"".join(pieces)


def _decompress_snappy(data: Buffer, size_bytes_max: int) -> bytes:
    view = memoryview(data)
    if view[: len(_XERIAL_MAGIC)] != _XERIAL_MAGIC:
        return _decompress_snappy_block(view, size_bytes_max, size_bytes_max)
    pieces: list[bytes] = []
    room = size_bytes_max
    position = len(_XERIAL_HEADER)
    end = len(view)
    if position > end:
        raise CorruptBatch("snappy framing is cut short")
    while position < end:
        # Streams may be joined end to end: the header is then met where a length would be.
        if view[position : position + len(_XERIAL_MAGIC)] == _XERIAL_MAGIC:
            position += len(_XERIAL_HEADER)
            continue
        if end - position < 4:
            raise CorruptBatch("snappy framing is cut short")
        size = _INT32.unpack_from(view, position)[0]
        position += 4
        if not 0 <= size <= end - position:
            raise CorruptBatch(f"snappy block of {size} bytes where {end - position} remain")
        piece = _decompress_snappy_block(view[position : position + size], room, size_bytes_max)
        room -= len(piece)
        pieces.append(piece)
        position += size
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def _decompress_snappy_block(block: memoryview, room: int, size_bytes_max: int) -> bytes:
    from cramjam import DecompressionError, snappy

    try:
        declared = snappy.decompress_raw_len(block)
        if declared > room:
            raise DecompressedTooLarge(size_bytes_max)
        if declared > _SNAPPY_RATIO_MAX * len(block):
            raise CorruptBatch(f"snappy block of {len(block)} bytes declares {declared}")
        return bytes(snappy.decompress_raw(block))
    except DecompressionError as error:
        raise CorruptBatch(f"snappy: {error}") from None


_READERS: dict[int, Callable[[Buffer, int], bytes]] = {
    Codec.GZIP: _decompress_gzip,
    Codec.SNAPPY: _decompress_snappy,
    Codec.LZ4: _decompress_lz4,
    Codec.ZSTD: _decompress_zstd,
}
