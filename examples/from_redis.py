"""Redis: Streams with consumer groups, and Pub/Sub.

XADD: produce. XREADGROUP and XACK: a share group, ACCEPT. XPENDING and XCLAIM: what a dead consumer had
comes back by itself when its lock expires. XRANGE: fetch from an offset. PUBLISH and SUBSCRIBE: a
consumer without a group that begins at the end; here it misses nothing while it is slow.
"""

from confluent_kafka import OFFSET_END, Consumer, TopicPartition
from plumbing import BOOTSTRAP, messages, new_producer, new_topic
from queueing import ACCEPT, new_queue_group, new_worker, received


def stream() -> None:
    """A consumer takes entries and goes away without XACK; another gets them."""
    entries = new_topic("mystream")
    group = new_queue_group("mygroup")
    producer = new_producer()
    for number in range(3):
        producer.produce(entries, f"entry {number}")
    producer.flush()

    alice = new_worker(group, entries)
    pending = next(received(alice)).value().decode()
    alice.close()  # acknowledges nothing: its entries are released
    bob = new_worker(group, entries)
    claimed = {}
    for message in received(bob):
        claimed[message.value().decode()] = message.delivery_count()
        bob.acknowledge(message, ACCEPT)
        if len(claimed) == 3:
            break
    bob.close()
    print(
        f"alice left {pending} pending; bob got it as delivery {claimed[pending]}, and {len(claimed)} in all"
    )


def pub_sub() -> None:
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
    stream()
    pub_sub()
