"""Request and reply: a question on one topic, the answer on another, paired by a correlation id.

The asker says in headers where it wants the answer and which question it is. Many servers can share the
questions (they are one group); each asker has a reply topic of its own, so it sees no answers of others.
"""

import threading
from uuid import uuid4

from plumbing import messages, new_consumer, new_producer, new_topic


def serve(questions: str, count: int) -> None:
    """Answer so many questions."""
    consumer, producer = new_consumer("squares", questions), new_producer()
    for answered, message in enumerate(messages(consumer), 1):
        headers = dict(message.headers())
        answer = str(int(message.value()) ** 2)
        producer.produce(
            headers["reply-to"].decode(), answer, headers=[("correlation-id", headers["correlation-id"])]
        )
        producer.flush()
        consumer.commit(message, asynchronous=False)
        if answered == count:
            break
    consumer.close()


def main() -> None:
    questions, answers = new_topic("questions", partitions=2), new_topic("answers")
    server = threading.Thread(target=serve, args=(questions, 3))
    server.start()

    producer, consumer = new_producer(), new_consumer("asker", answers)
    asked = {}
    for number in (3, 5, 12):
        correlation_id = uuid4().bytes
        asked[correlation_id] = number
        producer.produce(
            questions, str(number), headers=[("correlation-id", correlation_id), ("reply-to", answers)]
        )
    producer.flush()

    # Two partitions of questions: the answers may come in another order.
    squares = {}
    for message in messages(consumer):
        number = asked.pop(dict(message.headers())["correlation-id"])
        squares[number] = message.value().decode()
        if not asked:
            break
    for number in sorted(squares):
        print(f"{number} squared is {squares[number]}")
    consumer.close()
    server.join()


if __name__ == "__main__":
    main()
