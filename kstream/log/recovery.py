"""Opening a partition's directory.

After a clean stop nothing is scanned: the newest segment's end is its file's end, the newest producer
snapshot stands there. After any other stop each batch from the recovery point on is checked by CRC, the first
that fails ends the log, and in the same pass indexes are rebuilt and producer state is replayed from an older
snapshot. What is cut off is kept in a file beside, unless it is only zeros, which is space that was reserved.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from kstream.log.checkpoints import CorruptCheckpoint
from kstream.log.config import LogConfig
from kstream.log.epochs import FILE_NAME as EPOCHS_FILE_NAME
from kstream.log.epochs import LeaderEpochs
from kstream.log.errors import LogStorageError
from kstream.log.inventory import take_inventory
from kstream.log.partition_metadata import settle_topic_id
from kstream.log.platform import Platform
from kstream.log.producers import ProducerState
from kstream.log.replay import headers_from, load_producers
from kstream.log.segment import Segment
from kstream.log.unclean import Recovered, recover

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Opened:
    """What a partition's directory holds."""

    segments: list[Segment]
    producers: ProducerState
    leader_epochs: LeaderEpochs
    topic_id: bytes | None
    log_start_offset: int
    end_offset: int
    recovery_point: int
    snapshot_offset: int
    is_new: bool


def open_files(
    directory: Path,
    config: LogConfig,
    platform: Platform,
    *,
    now_ms: int,
    topic_id: bytes | None,
    recovery_point: int,
    was_clean: bool,
    log_start_offset: int,
    on_checked: Callable[[int], None] | None = None,
) -> Opened:
    """Open or create a partition's directory; recover it unless it was closed cleanly.

    Raises OSError, LogStorageError.
    """
    is_new = not directory.exists()
    directory.mkdir(parents=True, exist_ok=True)
    topic_id = settle_topic_id(directory, topic_id)
    inventory = take_inventory(directory, platform, now_ms)
    segments = inventory.segments
    recovered: Recovered | None = None
    end_offset = log_start_offset
    if segments and was_clean:
        try:
            end_offset = segments[-1].next_offset()
        except LogStorageError as reason:
            _log.warning("%s was closed cleanly, and yet: %s", directory, reason)
            was_clean = False
    if segments and not was_clean:
        recovered = recover(directory, inventory, recovery_point, config, on_checked)
        segments, end_offset = recovered.segments, recovered.end_offset
    if not segments or log_start_offset > end_offset:
        # All that is left lies before the log's start, or there is nothing.
        for segment in segments:
            segment.unlink()
        segments = [Segment.create(directory, log_start_offset, platform, now_ms)]
        end_offset = log_start_offset
        recovered = None
    log_start_offset = max(log_start_offset, segments[0].base_offset)
    if recovered is None:
        replay = load_producers(
            directory, segments, end_offset, config, now_ms, unknown_from=inventory.bad_txn_index_from
        )
    else:
        replay = recovered.replay
        replay.finish(end_offset, config, now_ms)
    # Here in the thread that opens: where a million transactions were aborted it is 34 MB.
    segments[-1].txn_index.load()
    return Opened(
        segments,
        replay.state,
        _open_epochs(directory, segments, recovered, log_start_offset, end_offset),
        topic_id,
        log_start_offset,
        end_offset,
        end_offset if was_clean else min(recovery_point, end_offset),
        replay.begin,
        is_new,
    )


def _open_epochs(
    directory: Path,
    segments: list[Segment],
    recovered: Recovered | None,
    log_start_offset: int,
    end_offset: int,
) -> LeaderEpochs:
    epochs = LeaderEpochs(directory / EPOCHS_FILE_NAME)
    try:
        epochs.load()
        found = recovered.epochs if recovered is not None else []
    except CorruptCheckpoint as reason:
        _log.warning("rebuilding the leader epochs: %s", reason)
        found = [
            (header.partition_leader_epoch, header.base_offset)
            for segment in segments
            for header, _ in headers_from(segment, log_start_offset)
        ]
    before = epochs.entries
    # The newest one may have no batch yet; after an unclean stop the batches alone are believed.
    epochs.truncate_to(end_offset if recovered is not None else end_offset + 1, save=False)
    for epoch, start_offset in found:
        if epochs.epoch_of(start_offset) != epoch:
            epochs.assign(epoch, start_offset, save=False)
    epochs.raise_start(log_start_offset, save=False)
    if epochs.entries != before:
        epochs.save()
    return epochs
