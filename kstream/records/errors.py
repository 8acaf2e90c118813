"""What can be wrong with a record batch as bytes."""

from __future__ import annotations

from kstream.errors import KstreamError


class CorruptBatch(KstreamError):
    """Bytes that are not a record batch of format version 2: lengths that lie, a wrong CRC, a record cut
    short.
    """


class UnsupportedMagic(CorruptBatch):
    """A batch whose magic byte is not 2. Formats 0 and 1 are gone since Kafka 4.0 (KIP-724)."""

    def __init__(self, magic: int) -> None:
        super().__init__(f"record batch has magic {magic}, only 2 is supported")
        self.magic = magic


class DecompressedTooLarge(CorruptBatch):
    """Records that would take more memory, once decompressed, than the caller allows."""

    def __init__(self, size_bytes_max: int) -> None:
        super().__init__(f"records decompress to more than {size_bytes_max} bytes")
        self.size_bytes_max = size_bytes_max
