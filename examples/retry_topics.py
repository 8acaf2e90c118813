"""Retry topics and dead letters: a message that fails waits and comes again, and is set aside after the
last attempt.

A consumer group reads a partition in order, so one bad message must not hold the others up. What fails
goes to a retry topic with a longer delay each time, where a consumer waits until the message is due, and
after that to the dead letter topic, with the reason in its headers. Sending it on and committing the
position are one transaction.

Share groups do this in the broker, message by message: docs/queues.md.
"""

import time
from collections import Counter

from confluent_kafka import Consumer, Message, Producer
from plumbing import messages, mine, new_consumer, new_producer, new_topic

DELAYS_MS = [50, 200]
"""How long a message waits before its second and its third attempt."""


def work(message: Message) -> None:
    """The job: some messages are poison, some fail once."""
    attempt = int(dict(message.headers() or []).get("attempt", b"1"))
    if message.value() == b"poison" or (message.value() == b"flaky" and attempt == 1):
        raise ValueError(f"cannot handle {message.value().decode()}")


def pass_on(
    message: Message, error: Exception, topics: list[str], producer: Producer, consumer: Consumer
) -> None:
    """Send a message that failed to where it waits, or to the dead letters."""
    attempt = int(dict(message.headers() or []).get("attempt", b"1"))
    due_ms = time.time() * 1000 + DELAYS_MS[min(attempt, len(DELAYS_MS)) - 1]
    headers = [("attempt", str(attempt + 1)), ("due-ms", str(int(due_ms))), ("reason", str(error))]
    producer.begin_transaction()
    producer.produce(topics[attempt], message.value(), message.key(), headers=headers)
    position = consumer.position(consumer.assignment())
    producer.send_offsets_to_transaction(position, consumer.consumer_group_metadata())
    producer.commit_transaction()


def main() -> None:
    topics = [new_topic(name) for name in ("jobs", "jobs-retry-1", "jobs-retry-2", "jobs-dead")]
    source = new_producer()
    jobs = [b"good", b"poison", b"flaky", b"good"]
    for job in jobs:
        source.produce(topics[0], job)
    source.flush()

    producer = new_producer(transactional_id=mine("worker"))
    producer.init_transactions()
    worker = new_consumer("workers", *topics[:3])
    done: Counter[str] = Counter()
    dead = 0
    for message in messages(worker):
        due_ms = int(dict(message.headers() or []).get("due-ms", b"0"))
        time.sleep(max(0, due_ms / 1000 - time.time()))  # those behind it are due later still
        try:
            work(message)
        except ValueError as error:
            pass_on(message, error, topics, producer, worker)
            dead += message.topic() == topics[2]
        else:
            done[message.value().decode()] += 1
            worker.commit(message, asynchronous=False)
        if done.total() + dead == len(jobs):
            break
    worker.close()
    print(f"done: {dict(done)}")

    undertaker = new_consumer("undertaker", topics[3])
    letter = next(messages(undertaker))
    headers = {name: value.decode() for name, value in letter.headers()}
    print(
        f"dead: {letter.value().decode()} after {int(headers['attempt']) - 1} attempts, {headers['reason']}"
    )
    undertaker.close()


if __name__ == "__main__":
    main()
