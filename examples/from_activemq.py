"""ActiveMQ (JMS): a queue, where one consumer gets each message, and a topic with a durable subscription.

Queue: a topic with a share group. Topic: the topic itself; a durable subscription is a consumer group,
which goes on where it was; a non-durable one is a consumer that begins at the end and commits nothing.
CLIENT_ACKNOWLEDGE: `acknowledge`. Message properties: headers.
"""

from plumbing import messages, new_consumer, new_producer, new_topic
from queueing import ACCEPT, new_queue_group, new_worker, received


def queue() -> None:
    """Two consumers of a queue share its messages."""
    jobs = new_topic("JOBS.QUEUE")
    group = new_queue_group("JOBS.QUEUE")
    producer = new_producer()
    for number in range(10):
        producer.produce(jobs, f"job {number}")
    producer.flush()
    done = set()
    consumer = new_worker(group, jobs)
    for message in received(consumer):
        done.add(message.value())
        consumer.acknowledge(message, ACCEPT)
        if len(done) == 10:
            break
    consumer.close()
    print(f"the queue's consumers did {len(done)} jobs, each once")


def durable_subscription() -> None:
    """What was published while the subscriber was away is there when it comes back."""
    prices = new_topic("PRICES.TOPIC")
    producer = new_producer()
    for day, published in ((1, 3), (2, 2)):
        for number in range(published):
            producer.produce(prices, f"day {day}, price {number}")
        producer.flush()
        subscriber = new_consumer("durable-subscriber", prices)
        seen = 0
        for message in messages(subscriber):
            seen += 1
            subscriber.commit(message, asynchronous=False)
            if seen == published:
                break
        subscriber.close()
        print(f"day {day}: the durable subscription got {seen}")


if __name__ == "__main__":
    queue()
    durable_subscription()
