"""`leader-epoch-checkpoint`: at which offset each leader epoch began (KIP-101, KIP-279).

A checkpoint file with lines `<epoch> <start offset>`, both ascending.

Crash policy: replaced when an epoch begins, synced with the next flush; recovery adds what the recovered
batches say, and a file that cannot be read is rebuilt from all batches.
"""

from __future__ import annotations

from bisect import bisect_right
from pathlib import Path

from kstream.log.checkpoints import CorruptCheckpoint, read_lines, write_lines

FILE_NAME = "leader-epoch-checkpoint"
UNDEFINED_EPOCH = -1
UNDEFINED_OFFSET = -1


class LeaderEpochs:
    """The leader epochs of one partition, ascending, each with its first offset."""

    __slots__ = ("_epochs", "_starts", "is_unsynced", "latest", "path")

    def __init__(self, path: Path) -> None:
        self.path = path
        self._epochs: list[int] = []
        self._starts: list[int] = []
        self.latest = UNDEFINED_EPOCH
        """The newest epoch, -1 if there is none."""
        self.is_unsynced = False
        """Whether the file was replaced since the last flush."""

    def load(self) -> None:
        """Take what the file says. Raises CorruptCheckpoint."""
        epochs: list[int] = []
        starts: list[int] = []
        for line in read_lines(self.path):
            try:
                epoch, start = map(int, line.split(" "))
            except ValueError as error:
                raise CorruptCheckpoint(f"{self.path} has a line {line!r}") from error
            if epochs and (epoch <= epochs[-1] or start < starts[-1]):
                raise CorruptCheckpoint(f"{self.path} does not ascend")
            epochs.append(epoch)
            starts.append(start)
        self._epochs, self._starts = epochs, starts
        self.latest = epochs[-1] if epochs else UNDEFINED_EPOCH

    @property
    def entries(self) -> list[tuple[int, int]]:
        """(epoch, start offset), ascending."""
        return list(zip(self._epochs, self._starts, strict=True))

    def assign(self, epoch: int, start_offset: int, *, save: bool = True) -> None:
        """An epoch begins with the batch at `start_offset`; entries that this contradicts go."""
        if epoch < 0 or epoch == self.latest:
            return
        # Whatever is not below both was written by a leader whose records are no longer here.
        keep = len(self._epochs)
        while keep and (self._epochs[keep - 1] >= epoch or self._starts[keep - 1] >= start_offset):
            keep -= 1
        self._replace([*self._epochs[:keep], epoch], [*self._starts[:keep], start_offset], save=save)

    def end_offset_for(self, epoch: int, log_end_offset: int) -> tuple[int, int]:
        """(epoch, end offset) of the largest epoch not above the one asked for; (-1, -1) if that cannot be
        said.
        """
        if epoch == UNDEFINED_EPOCH or epoch > self.latest:
            return UNDEFINED_EPOCH, UNDEFINED_OFFSET
        if epoch == self.latest:
            return epoch, log_end_offset
        number = bisect_right(self._epochs, epoch)
        if number == 0:
            # Older than everything here: its records ended where the oldest that remain begin.
            return epoch, self._starts[0]
        return self._epochs[number - 1], self._starts[number]

    def epoch_of(self, offset: int) -> int:
        """The leader epoch of the record at `offset`, -1 if unknown."""
        number = bisect_right(self._starts, offset)
        return self._epochs[number - 1] if number else UNDEFINED_EPOCH

    def truncate_to(self, end_offset: int, *, save: bool = True) -> None:
        """The log now ends before `end_offset`: drop epochs that began at or behind it."""
        keep = len(self._starts)
        while keep and self._starts[keep - 1] >= end_offset:
            keep -= 1
        if keep < len(self._starts):
            self._replace(self._epochs[:keep], self._starts[:keep], save=save)

    def raise_start(self, log_start_offset: int, *, save: bool = True) -> None:
        """The log now begins at `log_start_offset`: drop epochs before the one that holds it, and move that
        one.
        """
        number = bisect_right(self._starts, log_start_offset) - 1
        if number < 0 or (number == 0 and self._starts[0] == log_start_offset):
            return
        self._replace(self._epochs[number:], [log_start_offset, *self._starts[number + 1 :]], save=save)

    def clear(self) -> None:
        """Forget everything, in memory only: for a rebuild."""
        self._epochs, self._starts = [], []
        self.latest = UNDEFINED_EPOCH

    def save(self) -> None:
        """Write the file; a flush syncs it. Raises OSError."""
        lines = [f"{epoch} {start}" for epoch, start in zip(self._epochs, self._starts, strict=True)]
        write_lines(self.path, lines, sync=False)
        self.is_unsynced = True

    def _replace(self, epochs: list[int], starts: list[int], *, save: bool) -> None:
        self._epochs, self._starts = epochs, starts
        self.latest = epochs[-1] if epochs else UNDEFINED_EPOCH
        if save:
            self.save()
