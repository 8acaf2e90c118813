"""Azure Event Grid: events that a subscription's filter lets through.

Topic: a topic. Event subscription: a share group; its filter: the group's, over headers and key. Event Grid
pushes to handlers and tries again with pauses; here a subscriber pulls, with the group's backoff.
"""

from plumbing import new_producer, new_topic
from queueing import ACCEPT, RELEASE, new_queue_group, new_worker, received


def main() -> None:
    topic = new_topic("blob-events")
    created = new_queue_group(
        "on-created",
        kstream_queue_filter='headers["type"] == "BlobCreated" && key.startsWith("pictures/")',
        kstream_queue_backoff_ms="500",
    )
    producer = new_producer()
    for kind, subject in (
        ("BlobCreated", "pictures/a.png"),
        ("BlobDeleted", "pictures/b.png"),
        ("BlobCreated", "letters/c.txt"),
        ("BlobCreated", "pictures/d.png"),
    ):
        producer.produce(topic, b"{}", subject, headers=[("type", kind)])
    producer.flush()
    handler = new_worker(created, topic)
    handled = []
    for message in received(handler):
        subject = message.key().decode()
        if subject.endswith("a.png") and message.delivery_count() == 1:
            print(f"the handler of {subject} failed")
            handler.acknowledge(message, RELEASE)
            continue
        handled.append(subject)
        handler.acknowledge(message, ACCEPT)
        if len(handled) == 2:
            break
    handler.close()
    print(f"handled: {', '.join(handled)}")


if __name__ == "__main__":
    main()
