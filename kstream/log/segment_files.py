"""The files of one segment, `.log` and indexes: their names, and which of them are open."""

from __future__ import annotations

import contextlib
import errno
import logging
from abc import ABC, abstractmethod
from pathlib import Path

from kstream.log.files import SegmentFile
from kstream.log.indexes import CorruptIndex, OffsetIndex, TimeIndex
from kstream.log.platform import Platform
from kstream.log.txn_index import TransactionIndex

_log = logging.getLogger(__name__)


def segment_path(directory: Path, base_offset: int, suffix: str) -> Path:
    """`<twenty digits><suffix>`, as Kafka names a segment's files."""
    return directory / f"{base_offset:020d}{suffix}"


class SegmentFiles(ABC):
    """A segment on the disk. Files are opened at first use: a segment that nobody asks for costs nothing."""

    __slots__ = (
        "__weakref__",
        "_file",
        "_index",
        "_time_index",
        "base_offset",
        "directory",
        "is_abandoned",
        "is_noted",
        "is_retired",
        "is_sealed",
        "path",
        "platform",
        "size_bytes",
        "suffix",
        "txn_index",
        "was_used",
    )

    def __init__(
        self, directory: Path, base_offset: int, platform: Platform, size_bytes: int, suffix: str
    ) -> None:
        self.directory = directory
        self.base_offset = base_offset
        self.platform = platform
        self.size_bytes = size_bytes
        """The published end: nothing behind it is read."""
        self.suffix = suffix
        """Behind the names of all its files, while it is not part of a log."""
        self.path = segment_path(directory, base_offset, ".log" + suffix)
        self.txn_index = TransactionIndex(segment_path(directory, base_offset, ".txnindex" + suffix))
        self.is_sealed = False
        """Whether others follow it: no more batches come."""
        self.is_retired = False
        self.is_abandoned = False
        """Whether the log is closed: its files are not opened again, since another log's may stand there."""
        self.was_used = self.is_noted = False  # `OpenFiles` keeps its notes here
        self._file: SegmentFile | None = None
        self._index: OffsetIndex | None = None
        self._time_index: TimeIndex | None = None

    @abstractmethod
    def rebuild_indexes(self) -> tuple[OffsetIndex, TimeIndex]:
        """Write both indexes anew from the batches below the published end."""

    @property
    def file(self) -> SegmentFile:
        file = self._file
        self.was_used = True
        if file is None:
            self._check_not_abandoned()
            file = self._file = SegmentFile(self.path, self.platform)
            self.platform.open_files.note(self)
        return file

    @property
    def is_open(self) -> bool:
        return self._file is not None

    @property
    def has_indexes(self) -> bool:
        """Whether they are loaded."""
        return self._index is not None

    @property
    def index(self) -> OffsetIndex:
        return self._index or self._load_indexes()[0]

    @property
    def time_index(self) -> TimeIndex:
        return self._time_index or self._load_indexes()[1]

    def _load_indexes(self) -> tuple[OffsetIndex, TimeIndex]:
        self._check_not_abandoned()
        index_path, time_index_path, _ = self.index_paths
        index = OffsetIndex(index_path)
        time_index = TimeIndex(time_index_path)
        try:
            index.load()
            time_index.load()
            last = index.last()
            if last is not None and last[1] >= self.size_bytes:
                raise CorruptIndex(f"{index.path} points behind the end of its segment")
        except (CorruptIndex, FileNotFoundError) as reason:
            if self.size_bytes:
                _log.warning("rebuilding the indexes of %s: %s", self.path, reason)
            return self.rebuild_indexes()
        self._index, self._time_index = index, time_index
        return index, time_index

    @property
    def index_paths(self) -> tuple[Path, Path, Path]:
        return (
            segment_path(self.directory, self.base_offset, ".index" + self.suffix),
            segment_path(self.directory, self.base_offset, ".timeindex" + self.suffix),
            self.txn_index.path,
        )

    def rename(self, suffix: str) -> None:
        """Give all files another suffix, the `.log` last: what it is called says what they all are.

        Raises OSError.
        """
        for kind, index in (
            (".txnindex", self.txn_index),
            (".index", self._index),
            (".timeindex", self._time_index),
        ):
            path = segment_path(self.directory, self.base_offset, kind + suffix)
            with contextlib.suppress(FileNotFoundError):  # a transaction index without entries
                segment_path(self.directory, self.base_offset, kind + self.suffix).rename(path)
            if index is not None:
                index.path = path
        self.suffix = suffix
        path = segment_path(self.directory, self.base_offset, ".log" + suffix)
        self.path.rename(path)
        self.path = path

    def retire(self) -> None:
        """Keep file and indexes open for whoever still searches here: others will soon stand under their
        names. Raises OSError, CorruptTransactionIndex.
        """
        self.is_retired = True
        self.pin()

    def pin(self) -> None:
        """Have file and indexes open. Raises OSError, CorruptTransactionIndex."""
        _ = self.file
        _ = self.txn_index.entries
        self.index.open_columns()
        self.time_index.open_columns()

    def _check_not_abandoned(self) -> None:
        if self.is_abandoned:
            raise FileNotFoundError(errno.ENOENT, "the log is closed", str(self.path))

    def sync_indexes(self) -> None:
        """Have the indexes of a sealed segment on the disk. Raises OSError."""
        for path in self.index_paths:
            self.platform.sync_path(path)

    def let_go(self) -> None:
        """Close file and indexes until they are needed again. Slices in flight keep theirs."""
        for index in (self._index, self._time_index):
            if index is not None:
                index.flush()
        self.txn_index.flush()
        self._file = None
        self._index = self._time_index = None

    def close_files(self) -> None:
        """`let_go`, but for an active segment's indexes: they grow. Raises OSError."""
        if self.is_retired:
            return
        if self.is_sealed:
            self.let_go()
        else:
            self._file = None

    def abandon(self) -> None:
        """Let go of everything for good, without writing: the log is closed."""
        self.is_abandoned = True
        self._file = None
        self._index = self._time_index = None

    def unlink(self) -> None:
        """Delete the files. Those who hold the `.log` keep it until they let go."""
        self.path.unlink(missing_ok=True)
        for path in self.index_paths:
            path.unlink(missing_ok=True)
        self.abandon()
