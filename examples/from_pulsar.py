"""Apache Pulsar: one topic, and the four kinds of subscription.

Shared: a share group. Key_Shared: a share group with FIFO by key. Failover and Exclusive: a consumer
group, where one consumer has a partition and others stand by. Negative acknowledgement: RELEASE. Reader:
a consumer without a group.
"""

from plumbing import messages, new_consumer, new_producer, new_topic
from queueing import ACCEPT, RELEASE, new_queue_group, new_worker, received


def shared(topic: str, kind: str, **configs: str) -> None:
    """Acknowledge all but what fails once, which is sent again."""
    subscription = new_queue_group(kind, **configs)
    consumer = new_worker(subscription, topic)
    order = []
    for message in received(consumer):
        if message.value() == b"a1" and message.delivery_count() == 1:
            consumer.acknowledge(message, RELEASE)
            continue
        order.append(message.value().decode())
        consumer.acknowledge(message, ACCEPT)
        if len(order) == 4:
            break
    consumer.close()
    keys = {key: [value for value in order if value.startswith(key)] for key in "ab"}
    is_ordered = all(values == sorted(values) for values in keys.values())
    print(f"{kind}: {len(order)} messages{', each key in order' if is_ordered else ''}")


def failover(topic: str) -> None:
    """The first consumer goes away; the one that stood by takes over where it was."""
    seen = []
    for name, count in (("first", 2), ("standby", 2)):
        consumer = new_consumer("failover", topic)
        for index, message in enumerate(messages(consumer), 1):
            seen.append(message.value().decode())
            consumer.commit(message, asynchronous=False)
            if index == count:
                break
        consumer.close()
        print(f"Failover: {name} had {', '.join(seen[-count:])}")


def main() -> None:
    topic = new_topic("my-topic")
    producer = new_producer()
    for value in ("a1", "b1", "a2", "b2"):
        producer.produce(topic, value, key=value[0])
    producer.flush()
    shared(topic, "Shared")
    shared(topic, "Key_Shared", kstream_queue_order="key")
    failover(topic)


if __name__ == "__main__":
    main()
