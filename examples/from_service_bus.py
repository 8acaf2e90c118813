"""Azure Service Bus: peek-lock with complete, abandon and dead-letter; sessions; scheduled messages.

Queue: a topic with a share group; `complete`: ACCEPT, `abandon`: RELEASE, `dead_letter`: REJECT. Topic
subscriptions: more share groups. Sessions (order within a session id): FIFO by key. `schedule_messages`:
a header.
"""

import time

from plumbing import new_producer, new_topic
from queueing import ACCEPT, RELEASE, new_queue_group, new_worker, received


def main() -> None:
    queue = new_topic("deliveries")
    group = new_queue_group("deliveries", kstream_queue_order="key")
    producer = new_producer()
    sent_s = time.monotonic()
    producer.produce(queue, "later", "c", headers=[("kstream-delay-ms", "1500")])
    for session, body in (("a", "a1"), ("a", "a2"), ("b", "b1"), ("a", "a3")):
        producer.produce(queue, body, session)
    producer.flush()

    receiver = new_worker(group, queue)
    order = []
    for message in received(receiver):
        body = message.value().decode()
        if body == "a1" and message.delivery_count() == 1:
            receiver.acknowledge(message, RELEASE)  # abandoned: a2 must not overtake it
            continue
        receiver.acknowledge(message, ACCEPT)
        order.append(body)
        if len(order) == 5:
            break
    receiver.close()
    print(f"session a in order: {', '.join(body for body in order if body.startswith('a'))}")
    waited_s = time.monotonic() - sent_s
    print(f"the scheduled message came {'at its time' if waited_s >= 1.5 else 'too early'}")


if __name__ == "__main__":
    main()
