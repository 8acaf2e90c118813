"""Google Pub/Sub: a topic, subscriptions with ack and nack, ordering keys, seek to a time.

Subscription: a share group; `ack`: ACCEPT, `nack`: RELEASE; the ack deadline is the lock duration, and a
client that needs more time renews it. Ordering key: the key, with FIFO by key. `seek`: the group's
offsets are reset (`kstream groups reset GROUP --to TIME`).
"""

from plumbing import new_producer, new_topic
from queueing import ACCEPT, RELEASE, new_queue_group, new_worker, received


def main() -> None:
    topic = new_topic("hello")
    subscriptions = [new_queue_group("sub-a"), new_queue_group("sub-b", kstream_queue_order="key")]
    producer = new_producer()
    for number in range(1, 4):
        producer.produce(topic, f"message {number}", key="ordering-key")
    producer.flush()

    for subscription in subscriptions:
        subscriber = new_worker(subscription, topic)
        acked = []
        for message in received(subscriber):
            if message.value() == b"message 1" and message.delivery_count() == 1:
                subscriber.acknowledge(message, RELEASE)  # nack
                continue
            acked.append(message.value().decode())
            subscriber.acknowledge(message, ACCEPT)
            if len(acked) == 3:
                break
        subscriber.close()
        name = subscription.rpartition("-")[0]
        is_ordered = acked == sorted(acked)
        print(
            f"{name}: {len(acked)} acked, {'in order' if is_ordered else 'message 1 came back behind others'}"
        )


if __name__ == "__main__":
    main()
