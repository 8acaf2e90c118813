"""Compaction as a table: a topic that keeps the latest value of each key, read into a dictionary.

`cleanup.policy=compact` lets the broker drop what newer records of the same key replace; a record without
a value (a tombstone) deletes its key. A reader that starts from the beginning has the whole table once it
is at the end, and stays up to date by going on.
"""

import json

from confluent_kafka import Consumer, TopicPartition
from plumbing import BOOTSTRAP, new_producer, new_topic, send


class Table:
    """Reads the topic as far as it goes whenever it is asked to."""

    def __init__(self, topic: str) -> None:
        self.rows: dict[str, object] = {}
        self._partition = TopicPartition(topic, 0, 0)
        self._consumer = Consumer({"bootstrap.servers": BOOTSTRAP, "group.id": "none"})
        self._consumer.assign([self._partition])
        self._next_offset = 0

    def catch_up(self) -> None:
        """Apply all that is there now."""
        _, end = self._consumer.get_watermark_offsets(self._partition)
        while self._next_offset < end:
            (message,) = self._consumer.consume(1)
            self._next_offset = message.offset() + 1
            if message.value() is None:
                self.rows.pop(message.key().decode(), None)
            else:
                self.rows[message.key().decode()] = json.loads(message.value())

    def close(self) -> None:
        self._consumer.close()


def main() -> None:
    prices = new_topic("prices", cleanup_policy="compact")
    producer, table = new_producer(), Table(prices)
    for product, price in (("lamp", 40), ("vase", 15), ("lamp", 35), ("chair", 80)):
        send(producer, prices, price, key=product)
    producer.flush()
    table.catch_up()
    print(table.rows)

    producer.produce(prices, None, "vase")  # no longer sold
    send(producer, prices, 99, key="chair")
    producer.flush()
    table.catch_up()
    print(table.rows)
    table.close()


if __name__ == "__main__":
    main()
