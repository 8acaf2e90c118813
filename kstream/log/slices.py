"""A run of batches in a segment, not yet read: what a fetch answers with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from kstream.log.files import SegmentFile
from kstream.records.batch import iter_headers, read_header

if TYPE_CHECKING:
    from kstream.log.segment import Segment


class LogSlice:
    """Bytes `position` to `position + size_bytes` of an open `.log` file.

    The first batch is whole unless the slice is empty; the last may be cut short by the size limit, as in
    Kafka, whose clients drop it. The slice holds its file: segment deletion, roll and close do not disturb
    it. `release` lets go before the slice itself goes.
    """

    __slots__ = ("_file", "is_fresh", "position", "segment_base_offset", "segments", "size_bytes")

    def __init__(
        self,
        file: SegmentFile | None,
        position: int,
        size_bytes: int,
        segment_base_offset: int,
        is_fresh: bool = False,
        segments: Sequence[Segment] = (),
    ) -> None:
        self._file = file
        self.position = position
        self.size_bytes = size_bytes
        self.segment_base_offset = segment_base_offset
        self.is_fresh = is_fresh
        """Written so recently that it can only be in the page cache."""
        self.segments = segments
        """The log's when it was read: compaction and retention may put others in their place, whose
        transaction indexes say nothing of these bytes.
        """

    def __len__(self) -> int:
        return self.size_bytes

    def __repr__(self) -> str:
        return f"LogSlice(position={self.position}, size_bytes={self.size_bytes})"

    @property
    def file(self) -> SegmentFile:
        """The open file. Raises ValueError once released, and for an empty slice, which has none."""
        if self._file is None:
            raise ValueError("slice is empty or released")
        return self._file

    @property
    def fd(self) -> int:
        """Descriptor for sendfile; valid until `release`."""
        return self.file.fd

    def view(self) -> memoryview:
        """The bytes, through the mapping. Outlives the slice. Touching cold ones waits for the disk: `warm`
        first.
        """
        if not self.size_bytes:
            return memoryview(b"")
        end = self.position + self.size_bytes
        return self.file.mapping(end)[self.position : end]

    @property
    def first_offset(self) -> int:
        """Base offset of the first batch: at or before the offset that was asked for. Raises ValueError if
        empty.
        """
        return read_header(self.file.mapping(self.position + self.size_bytes), self.position).base_offset

    @property
    def last_offset(self) -> int:
        """Last offset of the last whole batch; walks the headers. Raises ValueError if empty."""
        last = -1
        for header in iter_headers(self.view(), partial_ok=True):
            last = header.last_offset
        if last < 0:
            raise ValueError("slice holds no whole batch")
        return last

    def is_resident(self) -> bool:
        """Whether reading it will not wait for a disk."""
        if self.is_fresh or not self.size_bytes:
            return True
        file = self.file
        return file.platform.is_resident(file.fd, self.position, self.size_bytes)

    def warm(self) -> None:
        """Bring the bytes into the page cache; call it in a thread."""
        if self.size_bytes:
            file = self.file
            file.platform.bring_in(file.fd, self.position, self.size_bytes)

    def read_ahead(self, size_bytes: int) -> None:
        """Ask for so many bytes behind it, without waiting for them; call it in a thread."""
        file = self.file
        file.platform.read_ahead(file.fd, self.position + self.size_bytes, size_bytes)

    def send(self, socket_fd: int, sent_bytes: int, size_bytes_max: int) -> int:
        """Send some of what follows the first `sent_bytes` to a non-blocking socket; return how many bytes
        went.

        Raises BlockingIOError if the socket's buffer is full, OSError if the connection is gone.
        """
        file = self.file
        size_bytes = min(self.size_bytes - sent_bytes, size_bytes_max)
        return file.platform.send_file(socket_fd, file.fd, self.position + sent_bytes, size_bytes)

    def release(self) -> None:
        """Let go of the file. Views taken before stay valid."""
        self._file = None


EMPTY_SLICE = LogSlice(None, 0, 0, 0)
