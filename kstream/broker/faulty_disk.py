"""A disk that is full or slow, for some topics or all, for as long as faults say so."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Sequence

import trio

from kstream.broker.broker import Broker
from kstream.broker.partition import Partition
from kstream.broker.replica import LocalReplica
from kstream.faults import Faults, Kind
from kstream.log.partition import AppendResult, Origin
from kstream.log.platform import path_of
from kstream.log.slices import LogSlice
from kstream.records.batch import BatchHeader

_PARTITION_DIRECTORY = re.compile(r"(.+)-[0-9]+")


class FaultyDisk:
    """Stands between a broker and its logs as long as there are faults for the disk."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._is_in_place = False
        broker.faults.on_change(self._look)
        self._look()

    def _look(self) -> None:
        wanted = self._broker.faults.meets_disk
        if wanted == self._is_in_place:
            return
        self._is_in_place = wanted
        partitions = self._broker.partitions
        self._broker.directory.platform.guard_writes(self._check_space if wanted else None)
        partitions.on_open = self._wrap if wanted else None
        for partition in partitions.opened():
            if wanted:
                self._wrap(partition)
            elif isinstance(partition.replica, SlowReplica):
                partition.replica = partition.replica.replica

    def _wrap(self, partition: Partition) -> None:
        assert isinstance(partition.replica, LocalReplica)
        partition.replica = SlowReplica(partition.topic_name, partition.replica, self._broker.faults)

    def _check_space(self, fd: int) -> None:
        """Raise what a full disk does, if a fault says so for the topic whose file is to be written."""
        found = _PARTITION_DIRECTORY.fullmatch(os.path.basename(os.path.dirname(path_of(fd))))
        topic = "" if found is None else found[1]
        if any(True for _ in self._broker.faults.take_disk(Kind.DISK_FULL, topic)):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


class SlowReplica:
    """A replica whose every call takes longer when a fault says so."""

    appends_at_once = False

    def __init__(self, topic: str, replica: LocalReplica, faults: Faults) -> None:
        self.replica = replica
        self._topic = topic
        self._faults = faults

    @property
    def flushed_offset(self) -> int:
        return self.replica.flushed_offset

    def append_at_once(
        self, buffer: memoryview | bytes, headers: Sequence[BatchHeader], *, leader_epoch: int, now_ms: int
    ) -> AppendResult:
        """As the replica; nobody asks for it."""
        return self.replica.append_at_once(buffer, headers, leader_epoch=leader_epoch, now_ms=now_ms)

    async def append(
        self,
        buffer: memoryview | bytes,
        headers: Sequence[BatchHeader],
        *,
        leader_epoch: int,
        now_ms: int,
        origin: Origin = Origin.CLIENT,
    ) -> AppendResult:
        """As the replica."""
        await self._wait()
        return await self.replica.append(
            buffer, headers, leader_epoch=leader_epoch, now_ms=now_ms, origin=origin
        )

    async def read(
        self,
        offset: int,
        size_bytes_max: int,
        *,
        end_offset: int,
        min_one_batch: bool,
        with_transactions: bool = False,
    ) -> LogSlice:
        """As the replica."""
        await self._wait()
        return await self.replica.read(
            offset,
            size_bytes_max,
            end_offset=end_offset,
            min_one_batch=min_one_batch,
            with_transactions=with_transactions,
        )

    async def flush(self) -> int:
        """As the replica."""
        await self._wait()
        return await self.replica.flush()

    async def _wait(self) -> None:
        ms = sum(fault.ms or 0 for fault in self._faults.take_disk(Kind.DISK_SLOW, self._topic))
        if ms:
            await trio.sleep(ms / 1000)
