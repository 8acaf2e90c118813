"""Amazon Kinesis: put records by partition key, read shards by iterator, and resume by sequence number.

Stream: a topic; shard: a partition; sequence number: an offset. TRIM_HORIZON: the beginning; LATEST: the
end; AT_TIMESTAMP: `offsets_for_times`; AFTER_SEQUENCE_NUMBER: assign with the offset behind it. The
client library's leases and checkpoints: a consumer group.
"""

import time

from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition
from plumbing import BOOTSTRAP, messages, new_producer, new_topic


def read(stream: str, offset: int, count: int) -> list[str]:
    """So many records of the shard from an offset on."""
    consumer = Consumer({"bootstrap.servers": BOOTSTRAP, "group.id": "none"})
    consumer.assign([TopicPartition(stream, 0, offset)])
    found = []
    for message in messages(consumer):
        found.append(message.value().decode())
        if len(found) == count:
            break
    consumer.close()
    return found


def main() -> None:
    stream = new_topic("clicks")
    producer = new_producer()
    now_ms = int(time.time() * 1000)
    for number in range(6):
        producer.produce(stream, f"click {number}", key="visitor", timestamp=now_ms - 60_000 * (5 - number))
    producer.flush()

    print(f"TRIM_HORIZON: {', '.join(read(stream, OFFSET_BEGINNING, 2))} ...")
    print(f"AFTER_SEQUENCE_NUMBER 3: {', '.join(read(stream, 4, 2))}")
    consumer = Consumer({"bootstrap.servers": BOOTSTRAP, "group.id": "none"})
    (found,) = consumer.offsets_for_times([TopicPartition(stream, 0, now_ms - 150_000)], 10)
    consumer.close()
    print(f"AT_TIMESTAMP two and a half minutes ago: {', '.join(read(stream, found.offset, 3))}")


if __name__ == "__main__":
    main()
