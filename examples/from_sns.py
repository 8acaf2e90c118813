"""Amazon SNS: publish to a topic, and every subscription gets what its filter policy lets through.

SNS topic: a topic. Subscription: a share group (as SQS queues are subscribed) or a consumer group. Filter
policy: the group's filter, over the message's headers.
"""

from plumbing import new_producer, new_topic
from queueing import ACCEPT, new_queue_group, new_worker, received


def main() -> None:
    events = new_topic("shop-events")
    everything = new_queue_group("everything")
    refunds = new_queue_group("refunds", kstream_queue_filter='headers["type"] == "refund"')
    producer = new_producer()
    for kind, body in (("sale", "a lamp"), ("refund", "a vase"), ("sale", "a chair"), ("refund", "a table")):
        producer.produce(events, body, headers=[("type", kind)])
    producer.flush()

    for group, count in ((everything, 4), (refunds, 2)):
        subscriber = new_worker(group, events)
        bodies = []
        for message in received(subscriber):
            bodies.append(message.value().decode())
            subscriber.acknowledge(message, ACCEPT)
            if len(bodies) == count:
                break
        subscriber.close()
        print(f"{group.rpartition('-')[0]}: {', '.join(bodies)}")


if __name__ == "__main__":
    main()
