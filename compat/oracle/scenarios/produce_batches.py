"""Produce: batches with something wrong in them."""

from __future__ import annotations

from compat.oracle.batches import T0, batch, flipped, old_message, patched, with_payload
from compat.oracle.requests import fetch, part, produce
from compat.oracle.run import Run, scenario
from kstream.records.batch import HEADER_SIZE
from kstream.records.builder import append_record, build_batch
from kstream.records.compression import Codec, compress

VERSIONS = range(3, 14)


@scenario
def produce_bad_headers(run: Run) -> None:
    """Header fields that do not fit, one at a time."""
    good = batch(b"a", b"b")
    cases = {
        "CRC": flipped(good, 17),
        "a bit of a value": flipped(good, len(good) - 2),
        "base offset 5": patched(good, base_offset=5),
        "base offset -1": patched(good, base_offset=-1),
        "leader epoch 7": patched(good, leader_epoch=7),
        "magic 0": patched(good, magic=0),
        "magic 1": patched(good, magic=1),
        "magic 3": patched(good, magic=3),
        "magic -1": patched(good, magic=-1),
        "length 0": patched(good, length=0, fix_crc=False),
        "length -1": patched(good, length=-1, fix_crc=False),
        "length 13": patched(good, length=13, fix_crc=False),
        "length 14": patched(good, length=14, fix_crc=False),
        "length 48": patched(good, length=48, fix_crc=False),
        "one byte longer": patched(good, length=len(good) - 11, fix_crc=False),
        "one byte shorter": patched(good, length=len(good) - 13, fix_crc=False),
        "count 0": patched(good, count=0),
        "count 1": patched(good, count=1),
        "count 3": patched(good, count=3),
        "count -1": patched(good, count=-1),
        "last offset delta 0": patched(good, last_offset_delta=0),
        "last offset delta 2": patched(good, last_offset_delta=2),
        "last offset delta -1": patched(good, last_offset_delta=-1),
        "count and delta 3": patched(good, count=4, last_offset_delta=3),
        "count and delta 1": patched(good, count=1, last_offset_delta=0),
        "control": patched(good, attributes=0x20),
        "transactional": patched(good, attributes=0x10),
        "control and transactional": patched(good, attributes=0x30),
        "delete horizon": patched(good, attributes=0x40),
        "unknown attributes": patched(good, attributes=0x7F80),
        "codec 5": patched(good, attributes=5),
        "codec 7": patched(good, attributes=7),
        "base timestamp": patched(good, base_timestamp=T0 + 100_000),
        "max timestamp": patched(good, max_timestamp=T0 + 100_000),
        "max timestamp -1": patched(good, max_timestamp=-1),
        "producer id without sequence": patched(good, producer_id=1),
        "producer epoch alone": patched(good, producer_epoch=1),
        "sequence alone": patched(good, base_sequence=3),
    }
    topic = run.topic("a")
    for version in VERSIONS:
        for note, records in cases.items():
            run.call(note, produce((topic, 0, records)), version)
    run.call("what is there", fetch((topic, [part()])), 12)


@scenario
def produce_not_one_batch(run: Run) -> None:
    """None, two, pieces, and the formats of old."""
    topic = run.topic("a")
    good = batch(b"a", b"b")
    cases = {
        "empty": b"",
        "two": good + good,
        "one and a piece": good + good[:30],
        "one and one byte": good + b"\0",
        "one and zeros": good + bytes(61),
        "one and a wrong length": good + b"\xff" * 20,
        "a piece": good[:-1],
        "half a header": good[:30],
        "11 bytes": good[:11],
        "12 bytes": good[:12],
        "16 bytes": good[:16],
        "17 bytes": good[:17],
        "a header alone": good[:HEADER_SIZE],
        "one byte": b"\0",
        "zeros": bytes(100),
        "garbage": bytes(range(100)),
        "message of magic 0": old_message(0),
        "message of magic 1": old_message(1),
        "two messages of magic 1": old_message(1) * 2,
        "magic 1, then 2": old_message(1) + good,
        "magic 2, then 1": good + old_message(1),
    }
    for version in VERSIONS:
        for note, records in cases.items():
            run.call(note, produce((topic, 0, records)), version)


@scenario
def produce_null_records(run: Run) -> None:
    """Null in place of records, on which Kafka's handler fails without an answer."""
    topic = run.topic("a")
    run.call("null", produce((topic, 0, None)), 3)
    run.call("null beside a batch", produce((topic, 0, None), (topic, 0, batch())), 13)


@scenario
def produce_empty_batch(run: Run) -> None:
    """A batch without records."""
    topic = run.topic("a")
    empty = build_batch([], last_offset_delta=0)
    for version in VERSIONS:
        run.call("no records", produce((topic, 0, empty)), version)
        run.call(
            "no records, count 0 and delta -1",
            produce((topic, 0, patched(empty, last_offset_delta=-1))),
            version,
        )
        run.call("no records, count 1", produce((topic, 0, patched(empty, count=1))), version)


def _payload(*deltas: tuple[int, int], key: bytes | None = b"k") -> bytes:
    body = bytearray()
    for timestamp_delta_ms, offset_delta in deltas:
        append_record(body, timestamp_delta_ms, offset_delta, key, b"v")
    return bytes(body)


def _bad_payloads() -> dict[str, bytes]:
    good = _payload((0, 0), (10, 1))
    record = _payload((0, 0))
    return {
        "records missing": record,
        "a record too many": good + _payload((20, 2)),
        "a byte left over": good + b"\0",
        "cut short": good[:-1],
        "offset deltas 1 2": _payload((0, 1), (10, 2)),
        "offset deltas 0 0": _payload((0, 0), (10, 0)),
        "offset deltas 1 0": _payload((0, 1), (10, 0)),
        "offset deltas 0 5": _payload((0, 0), (10, 5)),
        "negative offset delta": _payload((0, -1), (10, 0)),
        "timestamps going back": _payload((10, 0), (-10, 1)),
        "record length 0": record + b"\0",
        "record length negative": record + b"\x01" + record,
        "record length too long": record + b"\x7e" + record[1:],
        "record length too short": record + b"\x04" + record[1:],
        "key length -2": record + record[:4] + b"\x03" + record[5:],
        "key length beyond": record + record[:4] + b"\x7e" + record[5:],
        "header count 1 and none there": record + record[:-1] + b"\x02",
        "header count negative": record + record[:-1] + b"\x01",
        "varint of six bytes": record + b"\xff\xff\xff\xff\xff\x0f" + record,
        "garbage": bytes(range(7, 40)),
        "nothing": b"",
    }


@scenario
def produce_bad_records(run: Run) -> None:
    """Records that do not parse or do not follow one another."""
    # A partition for each case, so that what is stored of one does not show in the next.
    payloads = _bad_payloads()
    topic = run.topic("a", partitions=len(payloads))
    good = batch(b"v", b"v")
    for version in VERSIONS:
        for index, (note, payload) in enumerate(payloads.items()):
            run.call(note, produce((topic, index, with_payload(good, payload))), version)


@scenario
def produce_bad_compressed_records(run: Run) -> None:
    """The same in gzip, and streams that are no streams."""
    payloads = _bad_payloads()
    topic = run.topic("a", partitions=len(payloads))
    good = batch(b"v", b"v", codec=Codec.GZIP)
    for version in VERSIONS:
        for index, (note, payload) in enumerate(payloads.items()):
            packed = with_payload(good, compress(Codec.GZIP, payload))
            run.call(f"gzip: {note}", produce((topic, index, packed)), version)
    streams = run.topic("b", partitions=20)
    for version in range(7, 14):
        for codec in (Codec.GZIP, Codec.SNAPPY, Codec.LZ4, Codec.ZSTD):
            packed = batch(b"v", b"v", codec=codec)
            for case, (note, payload) in enumerate(
                (
                    ("no stream", b"this is no stream at all"),
                    ("empty stream", b""),
                    ("cut short", packed[HEADER_SIZE:-3]),
                    ("bytes behind it", packed[HEADER_SIZE:] + b"more"),
                )
            ):
                records = with_payload(packed, payload)
                run.call(f"{codec.name}: {note}", produce((streams, int(codec) * 4 + case, records)), version)


@scenario
def produce_one_wrong_of_two(run: Run) -> None:
    """Partitions are judged one by one: what is wrong in one does not harm the other."""
    good = batch(b"v")
    wrong = {
        "bad CRC": flipped(good, 17),
        "two batches": good + good,
        "empty": b"",
        "count 0": patched(good, count=0),
        "magic 1": old_message(1),
        "garbage": bytes(range(100)),
    }
    topics = {note: run.topic(str(number), partitions=2) for number, note in enumerate(wrong)}
    for version in VERSIONS:
        for note, records in wrong.items():
            topic = topics[note]
            run.call(f"{note} first", produce((topic, 0, records), (topic, 1, good)), version)
            run.call(f"{note} last", produce((topic, 0, good), (topic, 1, records)), version)
