"""RabbitMQ's tutorials: a work queue with acknowledgements, and a fanout exchange.

Queue: a topic with a share group. Consumers of the queue: members of the group. `basic_ack`: ACCEPT.
`basic_nack` with requeue: RELEASE, without: REJECT. Fanout exchange: the topic; each queue bound to it: a
share group of its own.
"""

from plumbing import new_producer, new_topic
from queueing import ACCEPT, RELEASE, new_queue_group, new_worker, received


def main() -> None:
    tasks = new_topic("task_queue")
    queue = new_queue_group("task_queue")
    audit = new_queue_group("audit")  # a second queue, bound to the same exchange
    producer = new_producer()
    for text in ("First message.", "Second message..", "Third message..."):
        producer.produce(tasks, text)
    producer.flush()

    worker = new_worker(queue, tasks)
    done = 0
    for message in received(worker):
        text = message.value().decode()
        if text.startswith("Second") and message.delivery_count() == 1:
            print(f"[ ] Back into the queue: {text}")
            worker.acknowledge(message, RELEASE)
            continue
        print(f"[x] Done: {text}{' (redelivered)' if message.delivery_count() > 1 else ''}")
        worker.acknowledge(message, ACCEPT)
        done += 1
        if done == 3:
            break
    worker.close()

    auditor = new_worker(audit, tasks)
    seen = 0
    for message in received(auditor):
        auditor.acknowledge(message, ACCEPT)
        seen += 1
        if seen == 3:
            break
    auditor.close()
    print(f"the other queue of the exchange had all {seen}")


if __name__ == "__main__":
    main()
