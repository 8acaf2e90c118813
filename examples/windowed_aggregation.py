"""Windowed aggregation: counts per minute of event time, with late events and exactly-once results.

Events carry the time when they happened, and come out of order. A window is closed, and its result sent,
when the watermark (the latest time seen, less what events may be late) has passed its end. Results and
positions are committed in one transaction, so a result is never sent twice.

State that must outlive the process belongs in a compacted topic of its own, as Kafka Streams does it;
here the positions stay at the first event of the oldest open window, so a restart reads the open windows
again.
"""

import json
from collections import Counter

from confluent_kafka import TopicPartition
from plumbing import messages, mine, new_consumer, new_producer, new_topic

MINUTE_MS = 60_000
LATE_MS_MAX = 30_000
START_MS = 1_700_000_040_000  # on a minute


class Windows:
    """Open windows: how many events, and where each window's first event stands."""

    def __init__(self) -> None:
        self.counts: Counter[int] = Counter()
        self.first_offsets: dict[int, int] = {}
        self.watermark_ms = 0
        self.late = 0

    def add(self, time_ms: int, offset: int) -> None:
        begin_ms = time_ms - time_ms % MINUTE_MS
        if begin_ms + MINUTE_MS <= self.watermark_ms:
            self.late += 1
            return
        self.counts[begin_ms] += 1
        self.first_offsets.setdefault(begin_ms, offset)
        self.watermark_ms = max(self.watermark_ms, time_ms - LATE_MS_MAX)

    def closed(self) -> list[tuple[int, int]]:
        """Windows that are over, oldest first, with their counts; they are forgotten."""
        over = sorted(begin_ms for begin_ms in self.counts if begin_ms + MINUTE_MS <= self.watermark_ms)
        for begin_ms in over:
            del self.first_offsets[begin_ms]
        return [(begin_ms, self.counts.pop(begin_ms)) for begin_ms in over]

    def safe_offset(self, next_offset: int) -> int:
        """From where a restart must read."""
        return min(self.first_offsets.values(), default=next_offset)


def main() -> None:
    clicks, results = new_topic("clicks"), new_topic("clicks-per-minute")
    producer = new_producer()
    seconds = [0, 10, 50, 70, 59, 80, 95, 130, 20, 185, 275]  # 59 is late but in time, 20 is not
    for second in seconds:
        producer.produce(clicks, "click", timestamp=START_MS + second * 1000)
    producer.flush()

    sink = new_producer(transactional_id=mine("aggregator"))
    sink.init_transactions()
    consumer, windows = new_consumer("aggregator", clicks), Windows()
    for message in messages(consumer):
        windows.add(message.timestamp()[1], message.offset())
        closed = windows.closed()
        if closed:
            sink.begin_transaction()
            for begin_ms, count in closed:
                sink.produce(
                    results, json.dumps({"minute": (begin_ms - START_MS) // MINUTE_MS, "clicks": count})
                )
            position = TopicPartition(clicks, 0, windows.safe_offset(message.offset() + 1))
            sink.send_offsets_to_transaction([position], consumer.consumer_group_metadata())
            sink.commit_transaction()
        if message.offset() == len(seconds) - 1:
            break
    consumer.close()

    reader = new_consumer("reader", results)
    for message in messages(reader):
        result = json.loads(message.value())
        print(f"minute {result['minute']}: {result['clicks']} clicks")
        if result["minute"] == 3:
            break
    reader.close()
    print(f"too late: {windows.late}, in a window that is open: {windows.counts.total()}")


if __name__ == "__main__":
    main()
