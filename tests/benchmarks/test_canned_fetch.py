"""The server behind the fetch ceiling sends whole batches of the segment it was given."""

from __future__ import annotations

from pathlib import Path

from benchmarks.canned_fetch import CannedFetch
from kstream.records.batch import stamp
from kstream.records.builder import build_batch
from kstream.records.record import Record
from kstream.testing.client import WireClient
from kstream.wire.messages.fetch import FetchPartition, FetchRequest, FetchTopic

BATCHES = 3
RECORDS_PER_BATCH = 5


def segment_bytes() -> list[bytes]:
    batches = []
    for number in range(BATCHES):
        records = [Record(offset, 0, None, b"value %d" % offset, ()) for offset in range(RECORDS_PER_BATCH)]
        batch = bytearray(build_batch(records))
        stamp(batch, number * RECORDS_PER_BATCH, 0)
        batches.append(bytes(batch))
    return batches


def fetch_request(offset: int, size_bytes_max: int) -> FetchRequest:
    wanted = FetchPartition(partition=0, fetch_offset=offset, partition_max_bytes=size_bytes_max)
    return FetchRequest(max_wait_ms=0, min_bytes=1, topics=[FetchTopic(topic="bench", partitions=[wanted])])


def test_batches_are_sent_whole_from_the_one_with_the_offset(tmp_path: Path) -> None:
    batches = segment_bytes()
    segment = tmp_path / "00000000000000000000.log"
    reserved = bytes(1000)
    segment.write_bytes(b"".join(batches) + reserved)
    with CannedFetch(segment, "bench") as canned:
        host, port = canned.bootstrap.split(":")
        with WireClient(host, int(port)) as client:

            def fetched(offset: int, size_bytes_max: int) -> tuple[int, bytes]:
                response = client.request(fetch_request(offset, size_bytes_max), 4)
                partition = response.responses[0].partitions[0]
                return partition.high_watermark, bytes(partition.records or b"")

            size = len(batches[0])
            assert fetched(0, 1 << 20) == (15, b"".join(batches))
            assert fetched(7, 1 << 20) == (15, b"".join(batches[1:]))
            assert fetched(0, 2 * size + 10) == (15, b"".join(batches[:2]))
            assert fetched(0, 1) == (15, batches[0])
            assert fetched(15, 1 << 20) == (15, b"")
