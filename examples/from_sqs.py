"""Amazon SQS: send, receive with a visibility timeout, delete; what fails too often goes to the dead
letter queue.

Queue: a topic with a share group. `ReceiveMessage`: poll; the visibility timeout is the lock duration of
the group. `DeleteMessage`: ACCEPT. `ChangeMessageVisibility` to 0: RELEASE. `maxReceiveCount`: the
delivery count limit. Redrive policy: the group's dead letter topic.
"""

from plumbing import messages, new_consumer, new_producer, new_topic
from queueing import ACCEPT, RELEASE, new_queue_group, new_worker, received


def main() -> None:
    queue, dead = new_topic("orders"), new_topic("dlq.orders", errors_deadletterqueue_group_enable="true")
    group = new_queue_group(
        "orders",
        share_delivery_count_limit="2",
        errors_deadletterqueue_topic_name=dead,
        errors_deadletterqueue_copy_record_enable="true",
    )
    producer = new_producer()
    for body in ("order 1", "order 2 with a broken address", "order 3"):
        producer.produce(queue, body)
    producer.flush()

    worker = new_worker(group, queue)
    deleted = failed = 0
    for message in received(worker):
        body = message.value().decode()
        if "broken" in body:
            print(f"receive {message.delivery_count()} of: {body}")
            worker.acknowledge(message, RELEASE)
            failed += 1
        else:
            worker.acknowledge(message, ACCEPT)
            deleted += 1
        if deleted == 2 and failed == 2:
            break
    worker.close()
    print(f"deleted {deleted}")

    undertaker = new_consumer("undertaker", dead)
    letter = next(messages(undertaker))
    print(f"in the dead letter queue: {letter.value().decode()}")
    undertaker.close()


if __name__ == "__main__":
    main()
