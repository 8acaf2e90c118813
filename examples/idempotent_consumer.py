"""Idempotent consumer: a message that comes twice has its effect once.

At-least-once delivery repeats messages after a crash, and a sender may repeat itself, too. Each message
has an id; the effect and the id go into the database in one transaction, and an id that is there already
changes nothing.
"""

import json
import sqlite3

from plumbing import messages, new_consumer, new_producer, new_topic, send

SCHEMA = """
CREATE TABLE accounts (owner TEXT PRIMARY KEY, balance INTEGER NOT NULL);
CREATE TABLE handled (id TEXT PRIMARY KEY);
"""


def handle(database: sqlite3.Connection, payment: dict[str, str | int]) -> bool:
    """Book a payment; whether it was new."""
    with database:
        new = database.execute("INSERT OR IGNORE INTO handled VALUES (?)", (payment["id"],)).rowcount == 1
        if new:
            database.execute(
                "INSERT INTO accounts VALUES (?, ?) "
                "ON CONFLICT DO UPDATE SET balance = balance + excluded.balance",
                (payment["to"], payment["amount"]),
            )
        return new


def main() -> None:
    payments = new_topic("payments")
    producer = new_producer()
    for number in (1, 2, 2, 3):  # the sender was not sure about the second
        send(producer, payments, {"id": f"payment-{number}", "to": "alice", "amount": 10 * number})
    producer.flush()

    database = sqlite3.connect(":memory:")
    database.executescript(SCHEMA)
    seen = booked = 0
    for attempt in ("first", "second"):
        consumer = new_consumer("bank", payments)
        for message in messages(consumer):
            booked += handle(database, json.loads(message.value()))
            seen += 1
            if attempt == "first" and message.offset() == 1:
                break  # the process dies here: booked, and not committed
            if message.offset() == 3:
                consumer.commit(message, asynchronous=False)
                break
        consumer.close()
    (balance,) = database.execute("SELECT balance FROM accounts WHERE owner = 'alice'").fetchone()
    print(f"{seen} deliveries, {booked} bookings, a balance of {balance}")


if __name__ == "__main__":
    main()
