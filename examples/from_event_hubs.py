"""Azure Event Hubs: partitions read by processors with checkpoints.

Event hub: a topic. Partition key: the key. Consumer group: a consumer group; checkpoint store: committed
offsets. Event Hubs speaks Kafka's protocol itself, so its Kafka clients need another address and nothing
else.
"""

from collections import Counter

from plumbing import messages, new_consumer, new_producer, new_topic


def main() -> None:
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


if __name__ == "__main__":
    main()
