"""One librdkafka share consumer as a process, which can be killed, and tells what happens to it.

    python -m compat.share_workers.confluent_worker HOST:PORT 'KEY=VALUE;...' TOPIC...

prints a line of JSON for each record it gets, `["got", partition, offset, delivery count, value, ms]`, the
last being the time since 1970, and one for each that is settled, with what became of it in place of "got".
What it does with a record is what the value begins with: reject, release (the first time), or accept. A line
on stdin, or its end, closes it in order.
"""

from __future__ import annotations

import json
import logging
import sys
import threading
import time

from confluent_kafka import AcknowledgeType, KafkaException, Message, ShareConsumer

NAMES = {
    AcknowledgeType.ACCEPT: "accept",
    AcknowledgeType.RELEASE: "release",
    AcknowledgeType.REJECT: "reject",
}


def main() -> None:
    bootstrap, options, *topics = sys.argv[1:]
    quiet = logging.getLogger("worker")
    quiet.addHandler(logging.NullHandler())
    settings = dict(pair.split("=", 1) for pair in options.split(";"))
    is_explicit = settings.setdefault("share.acknowledgement.mode", "explicit") == "explicit"
    consumer = ShareConsumer({"bootstrap.servers": bootstrap, "logger": quiet, **settings})
    must_close = threading.Event()

    def close_when_told() -> None:
        sys.stdin.readline()
        must_close.set()

    threading.Thread(target=close_when_told, daemon=True).start()
    consumer.subscribe(topics)
    while not must_close.is_set():
        records = [record for record in consumer.poll(0.1) if record.error() is None]
        for record in records:
            tell("got", record)
            if is_explicit:
                consumer.acknowledge(record, kind(record))
        if not records:
            continue
        try:
            results = consumer.commit_sync(10.0)
        except KafkaException as error:
            print(error, file=sys.stderr)
            continue
        if not any(results.values()):
            for record in records:
                tell(NAMES[kind(record)] if is_explicit else "accept", record)
    consumer.close()


def kind(record: Message) -> AcknowledgeType:
    value = record.value() or b""
    if value.startswith(b"reject"):
        return AcknowledgeType.REJECT
    if value.startswith(b"release") and record.delivery_count() == 1:
        return AcknowledgeType.RELEASE
    return AcknowledgeType.ACCEPT


def tell(what: str, record: Message) -> None:
    value = (record.value() or b"").decode()
    line = [
        what,
        record.partition(),
        record.offset(),
        record.delivery_count(),
        value,
        time.time_ns() // 1_000_000,
    ]
    print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
