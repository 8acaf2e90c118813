"""Event sourcing with snapshots: the state of an account is what its events add up to.

Events are the truth, and kept. A snapshot says what the state was after which event, so that loading
reads the latest snapshot and the few events behind it instead of all. Snapshots are in a compacted topic,
by account; losing them costs time, not data.
"""

import json

from confluent_kafka import Consumer, TopicPartition
from plumbing import BOOTSTRAP, new_producer, new_topic, send

EVERY = 40
"""Events between two snapshots."""


class Account:
    """A balance, and the offset of the next event to apply."""

    def __init__(self, balance: int = 0, next_offset: int = 0) -> None:
        self.balance = balance
        self.next_offset = next_offset

    def apply(self, event: dict[str, int | str], offset: int) -> None:
        amount = int(event["amount"])
        self.balance += amount if event["type"] == "deposited" else -amount
        self.next_offset = offset + 1


def read(topic: str, begin: int = 0) -> list[tuple[int, bytes, bytes]]:
    """Offset, key and value of all records from `begin` to the present end."""
    consumer = Consumer({"bootstrap.servers": BOOTSTRAP, "group.id": "none", "enable.partition.eof": True})
    consumer.assign([TopicPartition(topic, 0, begin)])
    found = []
    while (message := consumer.poll(60)) is not None and not message.error():
        found.append((message.offset(), message.key(), message.value()))
    consumer.close()
    return found


def load(account_id: str, events: str, snapshots: str) -> tuple[Account, int]:
    """The account as it is now, and how many events had to be read for it."""
    account = Account()
    for _, key, value in read(snapshots):
        if key.decode() == account_id:
            account = Account(**json.loads(value))
    behind = read(events, account.next_offset)
    for offset, _, value in behind:
        account.apply(json.loads(value), offset)
    return account, len(behind)


def main() -> None:
    events = new_topic("account-events")
    snapshots = new_topic("account-snapshots", cleanup_policy="compact")
    producer = new_producer()
    account = Account()
    for number in range(100):
        kind = "withdrawn" if number % 10 == 9 else "deposited"
        event = {"type": kind, "amount": number}
        send(producer, events, event, key="alice")
        account.apply(event, number)
        if number % EVERY == EVERY - 1:
            producer.flush()  # a snapshot never says more than the events that are kept
            send(producer, snapshots, vars(account), key="alice")
    producer.flush()

    loaded, count = load("alice", events, snapshots)
    print(f"the balance is {loaded.balance}, from a snapshot and {count} events")
    assert loaded.balance == account.balance


if __name__ == "__main__":
    main()
