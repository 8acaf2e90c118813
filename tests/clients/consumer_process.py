"""One librdkafka consumer of KIP-848 as a process, which can be killed, and tells what happens to it.

    python -m tests.clients.consumer_process HOST:PORT '{"group.id": ..., ...}' TOPIC...

prints a line of JSON for each event: `["assigned", [[topic, partition], ...]]` whenever what it has changes,
and `["got", [[topic, partition, offset], ...]]`, once that is committed. A line on stdin closes it in order.
"""

from __future__ import annotations

import json
import logging
import sys
import threading

from confluent_kafka import Consumer, KafkaException


def main() -> None:
    bootstrap, options, *topics = sys.argv[1:]
    quiet = logging.getLogger("consumer")
    quiet.addHandler(logging.NullHandler())
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.protocol": "consumer",
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            "reconnect.backoff.max.ms": 200,
            "topic.metadata.refresh.interval.ms": 500,
            "logger": quiet,
            **json.loads(options),
        }
    )
    must_close = threading.Event()

    def close_when_told() -> None:
        sys.stdin.readline()
        must_close.set()

    threading.Thread(target=close_when_told, daemon=True).start()
    consumer.subscribe(topics)
    shown: list[list[object]] | None = None
    uncommitted: list[list[object]] = []
    while not must_close.is_set():
        uncommitted += [
            [record.topic(), record.partition(), record.offset()]
            for record in consumer.consume(200, timeout=0.1)
            if record.error() is None
        ]
        assigned: list[list[object]] = sorted([each.topic, each.partition] for each in consumer.assignment())
        if assigned != shown:
            shown = assigned
            print(json.dumps(["assigned", assigned]), flush=True)
        if uncommitted:
            try:
                consumer.commit(asynchronous=False)
            except KafkaException:
                continue  # the server is away, or the epoch is over: what follows is the next one's to read
            print(json.dumps(["got", uncommitted]), flush=True)
            uncommitted = []
    consumer.close()


if __name__ == "__main__":
    main()
