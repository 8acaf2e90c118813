"""Fan-out (publish and subscribe): every subscriber gets every event, at its own pace.

Each subscriber is a group of its own. The event is stored once; a subscriber that comes later, or was
away, reads from where it stopped.
"""

import json

from plumbing import messages, new_consumer, new_producer, new_topic, send

SUBSCRIBERS = ["billing", "shipping", "statistics"]


def main() -> None:
    orders = new_topic("orders", partitions=3)
    producer = new_producer()
    for number in range(6):
        send(producer, orders, {"order": number}, key=str(number))
    producer.flush()

    for name in SUBSCRIBERS:
        subscriber = new_consumer(name, orders)
        seen = []
        for message in messages(subscriber):
            seen.append(json.loads(message.value())["order"])
            subscriber.commit(message, asynchronous=False)
            if len(seen) == 6:
                break
        subscriber.close()
        print(f"{name} saw {sorted(seen)}")


if __name__ == "__main__":
    main()
