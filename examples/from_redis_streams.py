"""Redis Streams: consumer groups whose entries are acknowledged one by one.

XADD: produce. XREADGROUP and XACK: a share group, ACCEPT. XPENDING and XCLAIM: what a dead consumer had
comes back by itself when its lock expires. XRANGE: fetch from an offset.
"""

from plumbing import new_producer, new_topic
from queueing import ACCEPT, new_queue_group, new_worker, received


def main() -> None:
    """A consumer takes entries and goes away without XACK; another gets them."""
    entries = new_topic("mystream")
    group = new_queue_group("mygroup")
    producer = new_producer()
    for number in range(3):
        producer.produce(entries, f"entry {number}")
    producer.flush()

    alice = new_worker(group, entries)
    pending = next(received(alice)).value().decode()
    alice.close()  # acknowledges nothing: its entries are released
    bob = new_worker(group, entries)
    claimed = {}
    for message in received(bob):
        claimed[message.value().decode()] = message.delivery_count()
        bob.acknowledge(message, ACCEPT)
        if len(claimed) == 3:
            break
    bob.close()
    print(
        f"alice left {pending} pending; bob got it as delivery {claimed[pending]}, and {len(claimed)} in all"
    )


if __name__ == "__main__":
    main()
