"""CQRS: commands become events, and a projection of the events answers queries.

The read side is a table of its own, here in SQLite, shaped for its question. It stores how far it has
read in the same transaction as what it read, so a crash neither loses an event nor counts one twice, and
deleting the table and starting anew rebuilds it from the events.
"""

import json
import sqlite3

from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition
from plumbing import BOOTSTRAP, new_producer, new_topic, send

SCHEMA = """
CREATE TABLE IF NOT EXISTS sales (product TEXT PRIMARY KEY, pieces INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS position (topic TEXT PRIMARY KEY, next_offset INTEGER NOT NULL);
"""


def project(topic: str, database: sqlite3.Connection, crash_after: int | None = None) -> int:
    """Bring the table up to date; returns how many events it took. `crash_after` so many it raises."""
    database.executescript(SCHEMA)
    row = database.execute("SELECT next_offset FROM position WHERE topic = ?", (topic,)).fetchone()
    consumer = Consumer({"bootstrap.servers": BOOTSTRAP, "group.id": "none", "enable.partition.eof": True})
    consumer.assign([TopicPartition(topic, 0, row[0] if row else OFFSET_BEGINNING)])
    count = 0
    while (message := consumer.poll(60)) is not None and not message.error():
        event = json.loads(message.value())
        with database:  # one transaction: what was read, and how far
            database.execute(
                "INSERT INTO sales VALUES (?, ?) ON CONFLICT DO UPDATE SET pieces = pieces + excluded.pieces",
                (event["product"], event["pieces"]),
            )
            if count == crash_after:
                raise RuntimeError("the power is gone")
            database.execute(
                "INSERT INTO position VALUES (?, ?) "
                "ON CONFLICT DO UPDATE SET next_offset = excluded.next_offset",
                (topic, message.offset() + 1),
            )
        count += 1
    consumer.close()
    return count


def main() -> None:
    events = new_topic("sales")
    producer = new_producer()
    for number in range(30):
        send(producer, events, {"product": ("lamp", "vase", "chair")[number % 3], "pieces": number})
    producer.flush()

    database = sqlite3.connect(":memory:")
    try:
        project(events, database, crash_after=12)
    except RuntimeError as error:
        print(f"{error} in the middle of event 12")
    print(f"the next start takes the other {project(events, database)} events")
    for product, pieces in database.execute("SELECT product, pieces FROM sales ORDER BY pieces DESC"):
        print(f"{product}: {pieces} sold")


if __name__ == "__main__":
    main()
