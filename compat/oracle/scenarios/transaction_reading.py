"""What readers see beside transactions: last stable offset, aborted lists, and where a partition ends."""

from __future__ import annotations

import time

from compat.oracle.batches import T0, batch
from compat.oracle.requests import fetch, offsets, part, produce, store
from compat.oracle.run import Run, Topic, scenario
from compat.oracle.scenarios.transactions import Transactor
from kstream.wire.messages.delete_records import (
    DeleteRecordsPartition,
    DeleteRecordsRequest,
    DeleteRecordsTopic,
)

_NEWER = 5
_TIMEOUT_S = 30.0
_LEVELS = (0, 1)
_LATEST, _EARLIEST, _MAX_TIMESTAMP = -1, -2, -3


class _Reader:
    """Reads partition 0 at both isolation levels."""

    def __init__(self, run: Run, topic: Topic) -> None:
        self.run = run
        self.topic = topic

    def read(self, note: str, *from_offsets: int, version: int = 12, size: int = 1 << 20) -> None:
        for level in _LEVELS:
            for offset in from_offsets:
                request = fetch((self.topic, [part(0, offset, size)]), isolation_level=level)
                self.run.call(f"{note}: level {level} from {offset}", request, version)

    def ends(self, note: str, *, version: int = 8) -> None:
        for level in _LEVELS:
            for timestamp in (_LATEST, _EARLIEST, _MAX_TIMESTAMP, T0, T0 + 200, T0 + 400):
                request = offsets((self.topic.name, 0, timestamp), isolation=level)
                at = timestamp - T0 if timestamp >= T0 else timestamp
                self.run.call(f"{note}: level {level} at {at}", request, version)

    def wait_until_later(self, end_offset: int) -> None:
        """Until it ends there, and what is then written has a later timestamp than the last marker."""
        self._wait_end(end_offset)
        seen_ms = _now_ms()
        while _now_ms() == seen_ms:
            self._wait_end(end_offset)

    def _wait_end(self, end_offset: int) -> None:
        request = offsets((self.topic.name, 0, _LATEST))
        deadline_s = time.monotonic() + _TIMEOUT_S
        while self.run.ask(request, 8).topics[0].partitions[0].offset < end_offset:
            if time.monotonic() > deadline_s:
                raise TimeoutError(f"the partition does not come to end at {end_offset}")


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _write(run: Run, producer: Transactor, topic: Topic, *, at_ms: int, count: int = 1) -> None:
    records = batch(
        *[b"v"] * count,
        at_ms=at_ms,
        producer_id=producer.producer_id,
        producer_epoch=producer.epoch,
        base_sequence=0,
        is_transactional=True,
    )
    request = produce((topic, 0, records), transactional_id=producer.id)
    run.call(f"{producer.label}: produce at {at_ms - T0}", request, 12)


@scenario
def transactions_read(run: Run) -> None:
    """Two producers, one that aborts and one that stays open, and a plain one between them."""
    topic = run.topic("t")
    reader = _Reader(run, topic)
    one, other = Transactor(run, "one"), Transactor(run, "other")
    one.init("first")
    other.init("first")
    store(run, topic, batch(b"plain", at_ms=T0))
    _write(run, one, topic, at_ms=T0 + 100)
    _write(run, other, topic, at_ms=T0 + 200, count=2)
    store(run, topic, batch(b"plain", at_ms=T0 + 300))
    reader.read("both open", 0, 1, 2, 4, 5, 6)
    reader.ends("both open")
    other.end("abort", commit=False, version=_NEWER)
    reader.read("one open", 0, 1, 2, 5)
    reader.ends("one open")
    one.end("commit", version=_NEWER)
    reader.read("both ended", 0, 2, 3, 4, 5, 6, 7)
    for version in (4, 11, 18):
        reader.read(f"both ended, v{version}", 0, 5, version=version)
    for version in range(2, 12):
        reader.ends("both ended", version=version)
    _write(run, other, topic, at_ms=T0 + 400)
    _write(run, one, topic, at_ms=T0 + 400)
    one.end("abort behind it", commit=False, version=_NEWER)
    reader.wait_until_later(end_offset=10)
    other.end("abort behind it", commit=False, version=_NEWER)
    reader.read("two more aborted", 0, 2, 7, 8, 9, 10, 11)
    reader.read("two more aborted, few bytes", 0, 2, 7, 8, size=1)
    wanted = DeleteRecordsPartition(partition_index=0, offset=4)
    delete = DeleteRecordsRequest(topics=[DeleteRecordsTopic(name=topic.name, partitions=[wanted])])
    run.call("delete up to the middle", delete, 2)
    reader.read("after deleting", 0, 4, 7)
    reader.ends("after deleting")
