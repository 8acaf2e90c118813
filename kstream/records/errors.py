"""What can be wrong with a record batch: its bytes, and what a producer may not ask."""

from __future__ import annotations

from kstream.errors import ApiError, ErrorCode, KstreamError


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


class InvalidBatch(ApiError):
    """A produced batch that is refused.

    `code` and `message` are for the partition's answer, `record_errors` its list of (index in the batch,
    message). Kafka sends a message only with record errors; `detail` says what is wrong to our own log
    in every case. `has_log_start_offset`: found while appending, so the answer carries the log start
    offset instead of -1.
    """

    def __init__(
        self,
        code: ErrorCode,
        detail: str,
        *,
        message: str | None = None,
        record_errors: tuple[tuple[int, str], ...] = (),
        has_log_start_offset: bool = False,
    ) -> None:
        super().__init__(code, message)
        self.args = (f"{code.name} ({int(code)}): {detail}",)
        self.detail = detail
        self.record_errors = record_errors
        self.has_log_start_offset = has_log_start_offset
