"""Redis Pub/Sub: whoever listens gets what is published from then on.

PUBLISH and SUBSCRIBE: a consumer without a group that begins at the end; here it misses nothing while it is
slow. PSUBSCRIBE: several topics, by a pattern that begins with ^ if the consumer has a group.
"""

from confluent_kafka import OFFSET_END, Consumer, TopicPartition
from plumbing import BOOTSTRAP, messages, new_producer, new_topic


def main() -> None:
    """A subscriber sees what is published after it has subscribed."""
    channel = new_topic("channel")
    producer = new_producer()
    producer.produce(channel, "before")
    producer.flush()
    subscriber = Consumer({"bootstrap.servers": BOOTSTRAP, "group.id": "none"})
    _, end = subscriber.get_watermark_offsets(TopicPartition(channel, 0), 10)
    subscriber.assign([TopicPartition(channel, 0, end if end >= 0 else OFFSET_END)])
    producer.produce(channel, "after")
    producer.flush()
    print(f"the subscriber got {next(messages(subscriber)).value().decode()}")
    subscriber.close()


if __name__ == "__main__":
    main()
