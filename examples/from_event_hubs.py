"""Azure Event Hubs and Event Grid: partitions read by processors with checkpoints; events filtered by
subscription.

Event hub: a topic. Partition key: the key. Consumer group: a consumer group; checkpoint store: committed
offsets. Event Hubs speaks Kafka's protocol itself, so its Kafka clients need another address and nothing
else. Event Grid pushes to handlers; here a subscriber pulls, with the filter in its share group.
"""

from collections import Counter

from plumbing import messages, new_consumer, new_producer, new_topic
from queueing import ACCEPT, new_queue_group, new_worker, received


def event_hub() -> None:
    """A processor stops after half of the events, and another goes on at its checkpoints."""
    hub = new_topic("telemetry", partitions=4)
    producer = new_producer()
    for number in range(40):
        producer.produce(hub, f"reading {number}", key=f"device-{number % 8}")
    producer.flush()
    seen: Counter[bytes] = Counter()
    for share in (20, 20):
        processor = new_consumer("processors", hub)
        for count, message in enumerate(messages(processor), 1):
            seen[message.value()] += 1
            processor.commit(message, asynchronous=False)  # the checkpoint
            if count == share:
                break
        processor.close()
    print(f"two processors read {len(seen)} events, {seen.total() - len(seen)} of them twice")


def event_grid() -> None:
    """Only what the subscription's filter lets through."""
    topic = new_topic("blob-events")
    created = new_queue_group("on-created", kstream_queue_filter='headers["type"] == "BlobCreated"')
    producer = new_producer()
    for kind, subject in (("BlobCreated", "a.png"), ("BlobDeleted", "b.png"), ("BlobCreated", "c.png")):
        producer.produce(topic, subject, headers=[("type", kind)])
    producer.flush()
    handler = new_worker(created, topic)
    subjects = []
    for message in received(handler):
        subjects.append(message.value().decode())
        handler.acknowledge(message, ACCEPT)
        if len(subjects) == 2:
            break
    handler.close()
    print(f"created: {', '.join(subjects)}")


if __name__ == "__main__":
    event_hub()
    event_grid()
