"""Produce: what is taken, refused, remembered. Answers compared with Kafka's own stand in tests/golden."""

from __future__ import annotations

import errno
import threading
from pathlib import Path
from typing import Any

import pytest
import trio

from kstream.api.context import RequestContext
from kstream.broker import producing
from kstream.broker.metadata.image import ResourceType
from kstream.broker.metadata.store import Change
from kstream.broker.producing import FIRST_BATCHES, RECORDS_PER_FIRST_BATCH, SMALL_BATCH_RECORDS
from kstream.errors import ErrorCode, ProtocolError
from kstream.log.files import SegmentFile
from kstream.log.partition import PartitionLog
from kstream.records.batch import HEADER_SIZE, crc_of, read_header
from kstream.records.compression import Codec
from kstream.records.record_validation import check_records
from kstream.records.schemas.metadata import ConfigRecord
from tests.api.data_plane import (
    NOW_MS,
    batch,
    bytes_of,
    create,
    fetch_request,
    fetched,
    only,
    opened,
    produced,
    run,
)


def test_offsets_and_bytes_are_what_the_producer_sent(tmp_path: Path) -> None:
    async def test() -> None:
        async with opened(tmp_path, "t") as broker:
            sent = batch(b"a", b"b")
            assert [(await produced(broker, sent)).base_offset for _ in range(3)] == [0, 2, 4]
            stored = bytes_of(only(await fetched(broker, fetch_request())))
            assert len(stored) == 3 * len(sent)
            for number in range(3):
                one = stored[number * len(sent) : (number + 1) * len(sent)]
                assert read_header(one).base_offset == 2 * number
                assert one[16:] == sent[16:]

    run(test)


def test_acks_zero_answers_nothing_and_an_error_ends_the_connection(tmp_path: Path) -> None:
    async def test() -> None:
        async with opened(tmp_path, "t") as broker:
            with pytest.raises(AssertionError):
                await produced(broker, batch(b"a"), acks=0)
            assert only(await fetched(broker, fetch_request())).high_watermark == 1
            with pytest.raises(ProtocolError, match="UNKNOWN_TOPIC_OR_PARTITION"):
                await produced(broker, batch(b"a"), "nowhere", acks=0)

    run(test)


@pytest.mark.parametrize("acks", [2, -2, 127])
def test_other_acks_are_refused(tmp_path: Path, acks: int) -> None:
    async def test() -> None:
        async with opened(tmp_path, "t") as broker:
            answer = await produced(broker, batch(b"a"), acks=acks)
            assert answer.error_code == ErrorCode.INVALID_REQUIRED_ACKS
            assert only(await fetched(broker, fetch_request())).high_watermark == 0

    run(test)


def test_a_retry_gets_its_original_offset_also_after_a_restart(tmp_path: Path) -> None:
    def numbered(sequence: int, epoch: int = 0) -> bytes:
        return batch(b"a", b"b", producer_id=9, producer_epoch=epoch, base_sequence=sequence)

    async def first() -> None:
        async with opened(tmp_path, "t") as broker:
            assert (await produced(broker, numbered(0))).base_offset == 0
            assert (await produced(broker, numbered(2))).base_offset == 2
            assert (await produced(broker, numbered(0))).base_offset == 0

    async def second() -> None:
        async with opened(tmp_path) as broker:
            # As in Kafka, a snapshot remembers each producer's last batch, a running server the last five.
            assert (await produced(broker, numbered(2))).base_offset == 2
            gap = await produced(broker, numbered(6))
            assert gap.error_code == ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER
            assert (await produced(broker, numbered(0, epoch=1))).base_offset == 4
            old = await produced(broker, numbered(4))
            assert old.error_code == ErrorCode.INVALID_PRODUCER_EPOCH

    run(first)
    run(second)


def lying_batch(count: int) -> bytes:
    """A batch whose header and CRC are right and whose last record is not what it says."""
    sent = bytearray(batch(*[b"v"] * count))
    sent[-1] ^= 1
    sent[17:21] = (0).to_bytes(4, "big")
    sent[17:21] = crc_of(sent, 0, len(sent)).to_bytes(4, "big")
    return bytes(sent)


@pytest.mark.parametrize(
    ("validate", "count", "is_refused"),
    [
        ("auto", SMALL_BATCH_RECORDS, True),
        ("auto", SMALL_BATCH_RECORDS + 1, False),
        ("full", SMALL_BATCH_RECORDS + 1, True),
        ("header", 1, False),
    ],
)
def test_which_batches_are_opened(tmp_path: Path, validate: str, count: int, is_refused: bool) -> None:
    async def test() -> None:
        async with opened(tmp_path, "t", kstream_validate_records=validate) as broker:
            context = RequestContext(broker)
            for _ in range(FIRST_BATCHES):
                await produced(broker, batch(*[b"v"] * 20), context=context)
            answer = await produced(broker, lying_batch(count), context=context)
            assert answer.error_code == (ErrorCode.INVALID_RECORD if is_refused else 0)

    run(test)


def test_the_first_batches_of_a_connection_are_opened(tmp_path: Path) -> None:
    async def test() -> None:
        async with opened(tmp_path, "t") as broker:
            context = RequestContext(broker)
            answers = [await produced(broker, lying_batch(50), context=context) for _ in range(12)]
            expected = [ErrorCode.INVALID_RECORD] * FIRST_BATCHES + [ErrorCode.NONE] * 2
            assert [answer.error_code for answer in answers] == expected

    run(test)


def test_batches_of_many_records_are_opened_less_often(tmp_path: Path) -> None:
    async def test() -> None:
        async with opened(tmp_path, "t") as broker:
            context = RequestContext(broker)
            opened_first = FIRST_BATCHES // 3
            for _ in range(opened_first):
                await produced(broker, batch(*[b"v"] * (2 * RECORDS_PER_FIRST_BATCH + 1)), context=context)
            assert (await produced(broker, lying_batch(50), context=context)).error_code
            assert not (await produced(broker, lying_batch(50), context=context)).error_code

    run(test)


def test_log_append_time_is_the_brokers(tmp_path: Path) -> None:
    async def test() -> None:
        async with opened(tmp_path) as broker:
            await create(broker, "t", message_timestamp_type="LogAppendTime")
            answer = await produced(broker, batch(b"a", timestamp_ms=5))
            assert answer.log_append_time_ms == NOW_MS
            header = read_header(bytes_of(only(await fetched(broker, fetch_request()))))
            assert (header.max_timestamp_ms, header.is_log_append_time) == (NOW_MS, True)

    run(test)


@pytest.mark.parametrize(
    ("compression", "codec"),
    [("gzip", Codec.GZIP), ("snappy", Codec.SNAPPY), ("lz4", Codec.LZ4), ("zstd", Codec.ZSTD)],
)
def test_a_topic_with_a_codec_of_its_own_recompresses(tmp_path: Path, compression: str, codec: Codec) -> None:
    async def test() -> None:
        async with opened(tmp_path) as broker:
            await create(broker, "t", compression_type=compression)
            for value in (b"a" * 100, b"b" * 100_000):
                assert (await produced(broker, batch(value))).error_code == 0
            stored = bytes_of(only(await fetched(broker, fetch_request())))
            assert read_header(stored).codec is codec
            assert len(stored) < 10_000

    run(test)


@pytest.mark.parametrize(
    ("codec", "levels"), [(Codec.GZIP, (1, 9)), (Codec.LZ4, (1, 12)), (Codec.ZSTD, (-5, 19))]
)
def test_the_topics_level_is_that_of_its_codec(tmp_path: Path, codec: Codec, levels: tuple[int, int]) -> None:
    text = b" ".join(b"%d" % (number * 7919) for number in range(5000))
    name = codec.name.lower()

    async def test() -> None:
        async with opened(tmp_path) as broker:
            payloads = set()
            for number, level in enumerate(levels):
                topic = f"t{number}"
                options = {f"compression_{name}_level": str(level)}
                await create(broker, topic, compression_type=name, **options)
                assert (await produced(broker, batch(text), topic)).error_code == 0
                stored = bytes_of(only(await fetched(broker, fetch_request(topic=topic))))
                assert stored[16:] == batch(text, codec=codec, level=level)[16:]
                payloads.add(stored[HEADER_SIZE:])
            assert len(payloads) == 2

    run(test)


def test_an_uncompressed_topic_unpacks_what_comes(tmp_path: Path) -> None:
    async def test() -> None:
        async with opened(tmp_path) as broker:
            await create(broker, "t", compression_type="uncompressed")
            assert (await produced(broker, batch(b"a" * 5000, codec=Codec.ZSTD))).error_code == 0
            stored = bytes_of(only(await fetched(broker, fetch_request())))
            assert read_header(stored).codec is Codec.NONE
            assert stored[16:] == batch(b"a" * 5000)[16:]

    run(test)


def test_a_configuration_change_takes_effect_at_once(tmp_path: Path) -> None:
    async def test() -> None:
        async with opened(tmp_path, "t") as broker:
            assert (await produced(broker, batch(b"x" * 1000))).error_code == 0
            record = ConfigRecord(
                resource_type=ResourceType.TOPIC, resource_name="t", name="max.message.bytes", value="500"
            )
            await broker.metadata.update(lambda _: Change(None, [record]))
            assert (await produced(broker, batch(b"x" * 1000))).error_code == ErrorCode.MESSAGE_TOO_LARGE

    run(test)


def test_a_full_disk_refuses_keeps_and_recovers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    async def test() -> None:
        async with opened(tmp_path, "t") as broker:
            await produced(broker, batch(b"kept"))
            with monkeypatch.context() as disk:
                disk.setattr(SegmentFile, "write", full)
                answer = await produced(broker, batch(b"refused"))
                assert answer.error_code == ErrorCode.KAFKA_STORAGE_ERROR
                assert b"kept" in bytes_of(only(await fetched(broker, fetch_request())))
            assert (await produced(broker, batch(b"again"))).base_offset == 1

    run(test)


def test_durable_acknowledgements_wait_for_one_flush_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushes: list[int] = []
    flush = PartitionLog.flush

    def counted(self: PartitionLog) -> int:
        flushes.append(self.end_offset)
        return flush(self)

    async def test() -> None:
        async with opened(tmp_path) as broker:
            await create(broker, "t", flush_messages="1")
            await produced(broker, batch(b"first"))
            monkeypatch.setattr(PartitionLog, "flush", counted)
            async with trio.open_nursery() as nursery:
                for _ in range(50):
                    nursery.start_soon(produced, broker, batch(b"x"))
            # One flush was under way when the others came; the next one served all of them.
            assert 1 <= len(flushes) <= 3
            assert only(await fetched(broker, fetch_request())).high_watermark == 51

    run(test)


def test_a_failed_flush_is_not_acknowledged_and_takes_the_partition_offline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    async def test() -> None:
        async with opened(tmp_path) as broker:
            await create(broker, "t", flush_messages="1")
            await produced(broker, batch(b"kept"))
            with monkeypatch.context() as disk:
                disk.setattr("kstream.log.syncing.sync", broken)

                answer = await produced(broker, batch(b"lost"))
                assert answer.error_code == ErrorCode.KAFKA_STORAGE_ERROR
            answer = await produced(broker, batch(b"after"))
            assert answer.error_code == ErrorCode.KAFKA_STORAGE_ERROR
            read = only(await fetched(broker, fetch_request()))
            assert (read.high_watermark, b"kept" in bytes_of(read)) == (1, True)

    run(test)


def test_batches_of_many_records_are_checked_beside_the_event_loop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_main: list[bool] = []

    def noting(*arguments: Any) -> int:
        in_main.append(threading.current_thread() is threading.main_thread())
        return check_records(*arguments)

    monkeypatch.setattr(producing, "check_records", noting)

    async def test() -> None:
        async with opened(tmp_path, "t") as broker:
            await produced(broker, batch(b"small"))
            await produced(broker, batch(*[b""] * 5000))
            assert in_main == [True, False]

    run(test)
