"""Outbox and change capture: a row in the database and the event about it, both or neither.

An application that writes to a database and then to a topic may die in between. So it writes the event
into a table (the outbox) in the transaction that changes the rows, and a relay carries the outbox to the
topic, in order. The relay is a transactional producer and notes how far it is in a record of the same
transaction: when it dies, whoever takes over fences it, and sends nothing twice.
"""

import json
import sqlite3

from confluent_kafka import Consumer, TopicPartition
from plumbing import BOOTSTRAP, messages, mine, new_consumer, new_producer, new_topic

SCHEMA = """
CREATE TABLE orders (id INTEGER PRIMARY KEY, product TEXT NOT NULL);
CREATE TABLE outbox (number INTEGER PRIMARY KEY AUTOINCREMENT, event TEXT NOT NULL);
"""


def place_order(database: sqlite3.Connection, product: str) -> None:
    """The application's part: the row and the event are one transaction."""
    with database:
        order_id = database.execute("INSERT INTO orders (product) VALUES (?)", (product,)).lastrowid
        event = json.dumps({"placed": order_id, "product": product})
        database.execute("INSERT INTO outbox (event) VALUES (?)", (event,))


def relayed(progress: str) -> int:
    """Up to which row of the outbox the events are out."""
    consumer = Consumer(
        {"bootstrap.servers": BOOTSTRAP, "group.id": "none", "enable.partition.eof": True}
    )  # reads committed records only, as is the default
    consumer.assign([TopicPartition(progress, 0, 0)])
    number = 0
    while (message := consumer.poll(60)) is not None and not message.error():
        number = int(message.value())
    consumer.close()
    return number


def relay(database: sqlite3.Connection, topic: str, progress: str, crash_before_commit: bool = False) -> int:
    """Send what is new; returns how many events that was."""
    producer = new_producer(transactional_id=mine("relay"))
    producer.init_transactions()  # fences whoever had this id, and ends what it left open
    rows = database.execute(
        "SELECT number, event FROM outbox WHERE number > ? ORDER BY number", (relayed(progress),)
    ).fetchall()
    if not rows:
        return 0
    producer.begin_transaction()
    for _, event in rows:
        producer.produce(topic, event)
    producer.produce(progress, str(rows[-1][0]), "relay")
    producer.flush()
    if crash_before_commit:
        return 0
    producer.commit_transaction()
    return len(rows)


def main() -> None:
    topic, progress = new_topic("orders"), new_topic("relay-progress", cleanup_policy="compact")
    database = sqlite3.connect(":memory:")
    database.executescript(SCHEMA)
    for product in ("lamp", "vase", "chair"):
        place_order(database, product)

    relay(database, topic, progress, crash_before_commit=True)
    print("a relay died with three events sent and not committed")
    print(f"the next one sent {relay(database, topic, progress)}")
    place_order(database, "table")
    print(f"and then {relay(database, topic, progress)}")

    consumer = new_consumer("readers", topic)
    seen = []
    for message in messages(consumer):
        seen.append(json.loads(message.value())["product"])
        if seen[-1] == "table":
            break
    consumer.close()
    print(f"a reader saw {', '.join(seen)}")


if __name__ == "__main__":
    main()
