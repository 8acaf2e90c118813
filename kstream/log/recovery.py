"""Opening a partition's directory.

After a clean stop nothing is scanned: the newest segment's end is its file's end, the newest producer
snapshot stands there. After any other stop each batch from the recovery point on is checked by CRC, the first
that fails ends the log, indexes are rebuilt, and producer state is replayed from an older snapshot. What is
cut off is kept in a file beside, unless it is only zeros, which is space that was reserved.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path

from kstream.log.checkpoints import CorruptCheckpoint
from kstream.log.config import LogConfig
from kstream.log.epochs import FILE_NAME as EPOCHS_FILE_NAME
from kstream.log.epochs import LeaderEpochs
from kstream.log.errors import LogStorageError
from kstream.log.inventory import Inventory, take_inventory
from kstream.log.partition_metadata import read_topic_id, write_topic_id
from kstream.log.platform import Platform
from kstream.log.producers import ProducerState
from kstream.log.replay import headers_from, load_producers
from kstream.log.segment import Segment
from kstream.log.verification import set_aside_behind, verify_segment
from kstream.wire.uuids import format_uuid

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
    topic_id = _settle_topic_id(directory, topic_id)
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
        recovered = _recover(segments, recovery_point, on_checked)
        if not config.is_compacted:
            _tell_holes(recovered)
        segments, end_offset = recovered.segments, recovered.end_offset
    if not segments or log_start_offset > end_offset:
        # All that is left lies before the log's start, or there is nothing.
        for segment in segments:
            segment.unlink()
        segments = [Segment.create(directory, log_start_offset, platform, now_ms)]
        end_offset = log_start_offset
        recovered = None
    log_start_offset = max(log_start_offset, segments[0].base_offset)
    loaded = load_producers(
        directory,
        segments,
        end_offset,
        config,
        now_ms,
        recovered_from=_transactions_unknown_from(inventory, recovered, segments),
    )
    # Here in the thread that opens: where a million transactions were aborted it is 34 MB.
    segments[-1].txn_index.load()
    return Opened(
        segments,
        loaded.state,
        _open_epochs(directory, segments, recovered, log_start_offset, end_offset),
        topic_id,
        log_start_offset,
        end_offset,
        end_offset if was_clean else min(recovery_point, end_offset),
        loaded.snapshot_offset,
        is_new,
    )


def _settle_topic_id(directory: Path, topic_id: bytes | None) -> bytes | None:
    try:
        known = read_topic_id(directory)
    except CorruptCheckpoint as reason:
        if topic_id is None:
            raise LogStorageError(str(reason)) from reason
        _log.warning("writing the topic id anew: %s", reason)
        known = None
    if known is None:
        if topic_id is not None:
            write_topic_id(directory, topic_id)
        return topic_id
    if topic_id is not None and known != topic_id:
        raise LogStorageError(
            f"{directory} belongs to topic id {format_uuid(known)}, not to {format_uuid(topic_id)}"
        )
    return known


@dataclass(slots=True)
class Recovered:
    """What checking a log's newest segments found."""

    segments: list[Segment]
    end_offset: int
    first_offset: int
    """Base offset of the first segment that was checked."""
    epochs: list[tuple[int, int]]
    """(leader epoch, first offset) as the checked batches have them."""


def _recover(
    segments: list[Segment], recovery_point: int, on_checked: Callable[[int], None] | None
) -> Recovered:
    kept: list[Segment] = []
    epochs: list[tuple[int, int]] = []
    first_offset = -1
    end_offset = segments[0].base_offset
    for number, segment in enumerate(segments):
        is_last = number + 1 == len(segments)
        if not is_last and _is_on_disk(segment, segments[number + 1].base_offset, recovery_point):
            kept.append(segment)
            continue
        if first_offset < 0:
            first_offset = segment.base_offset
        behind = segments[number + 1 :]
        verified = verify_segment(
            segment, partial(set_aside_behind, behind), on_checked, keeps_reserve=is_last
        )
        epochs += verified.epochs
        end_offset = verified.next_offset
        kept.append(segment)
        if not is_last and segments[number + 1].is_abandoned:
            break
    return Recovered(kept, end_offset, first_offset, epochs)


def _tell_holes(recovered: Recovered) -> None:
    """Say which offsets no segment has. What lies behind them is good, and served, as Apache Kafka does."""
    for segment, following in pairwise(recovered.segments):
        if following.base_offset < recovered.first_offset:
            continue
        end_offset = segment.next_offset()
        if end_offset < following.base_offset:
            _log.error(
                "%s: offsets %d to %d are missing: the disk lost them before they were synced",
                segment.directory,
                end_offset,
                following.base_offset - 1,
            )


def _is_on_disk(segment: Segment, next_base: int, recovery_point: int) -> bool:
    """Whether a segment in front of another need not be checked."""
    if next_base != recovery_point:
        return next_base < recovery_point
    # Its records were synced, but it may have been rolled since: where a power cut undid that, the zeros that
    # were reserved are still behind them.
    try:
        return segment.next_offset() <= next_base
    except LogStorageError:
        return False


def _transactions_unknown_from(
    inventory: Inventory, recovered: Recovered | None, segments: list[Segment]
) -> int | None:
    """The base offset from which transaction indexes are to be written anew, None if all are good."""
    unknown_from = inventory.bad_txn_index_from
    if recovered is not None:
        unknown_from = min(recovered.first_offset, unknown_from or recovered.first_offset)
    if unknown_from is not None:
        for segment in segments:
            if segment.base_offset >= unknown_from:
                segment.txn_index.clear()
    return unknown_from


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
