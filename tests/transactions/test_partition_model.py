"""One partition under everything at once: open, committed and aborted transactions, rolls, retention,
DeleteRecords, compaction, clean and unclean restarts. A read_committed reader sees what it should, wherever
it begins.
"""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from kstream.log.config import LogConfig
from tests.log.support import NOW_MS, append, compact, end_transaction, keyed_batch, open_log
from tests.transactions.reading import visible_records

SEEDS = int(os.environ.get("KSTREAM_TEST_TRANSACTION_SEEDS", "12"))
STEPS = 120
PRODUCERS = 4
READS_A_CHECK = 5


class Model:
    """What was written, by offset, and what became of it."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder = folder
        self.draw = random.Random(seed)
        self.config = LogConfig(
            segment_bytes=1200,
            index_interval_bytes=0,
            retention_ms=-1,
            cleanup_policy=("compact",) if seed % 2 else ("delete",),
        )
        self.log = open_log(folder, self.config)
        self.committed: dict[int, bytes] = {}
        self.open: dict[int, dict[int, bytes]] = {}
        self.aborted: list[tuple[int, int, int]] = []
        """Producer, first and last offset, in the order of the markers."""
        self.sequences = dict.fromkeys(range(PRODUCERS), 0)

    def step(self) -> None:
        """One thing that happens."""
        happens = [self.produce] * 8 + [self.transact] * 8 + [self.end] * 7
        happens += [self.restart, self.delete_records, self.shrink]
        self.draw.choice(happens)()

    def produce(self) -> None:
        value = f"plain-{self.log.end_offset}"
        offset = append(self.log, keyed_batch((value, value))).base_offset
        self.committed[offset] = value.encode()

    def transact(self) -> None:
        producer = self.draw.randrange(PRODUCERS)
        values = [f"p{producer}-{self.log.end_offset}-{n}" for n in range(self.draw.randint(1, 3))]
        batch = keyed_batch(
            *((value, value) for value in values),
            producer_id=producer,
            producer_epoch=0,
            base_sequence=self.sequences[producer],
            is_transactional=True,
        )
        self.sequences[producer] += len(values)
        first = append(self.log, batch).base_offset
        written = self.open.setdefault(producer, {})
        written.update({first + place: value.encode() for place, value in enumerate(values)})

    def end(self) -> None:
        if not self.open:
            return
        producer = self.draw.choice(sorted(self.open))
        is_commit = self.draw.random() < 0.5
        marker = end_transaction(self.log, producer, is_commit=is_commit).base_offset
        written = self.open.pop(producer)
        if is_commit:
            self.committed |= written
        else:
            self.aborted.append((producer, min(written), marker))

    def restart(self) -> None:
        is_clean = self.draw.random() < 0.5
        self.log.close(clean=is_clean)
        self.log = open_log(self.folder, self.config, was_clean=is_clean)

    def delete_records(self) -> None:
        start, end = self.log.log_start_offset, self.log.end_offset
        self.log.delete_records(self.draw.randint(start, max(start, min(end, start + 10))))

    def shrink(self) -> None:
        """Compaction where that is the policy, which takes only aborted records here: keys are unique."""
        if self.config.is_compacted:
            compact(self.log)
        else:
            self.log.config.retention_bytes = self.draw.randint(0, self.log.size_bytes)
            self.log.delete_old_segments(NOW_MS).finish()
            self.log.config.retention_bytes = -1

    def check(self) -> None:
        log = self.log
        start = log.log_start_offset
        oldest = min((min(written) for written in self.open.values()), default=log.end_offset)
        assert log.last_stable_offset == max(oldest, start)
        for offset in [
            start,
            *(self.draw.randint(start, log.last_stable_offset) for _ in range(READS_A_CHECK)),
        ]:
            self.check_reader(offset)

    def check_reader(self, begin: int) -> None:
        """Reads on from an offset, by slices of one segment each, up to the last stable offset."""
        log, seen, offset = self.log, dict[int, bytes](), begin
        stable = log.last_stable_offset
        while offset < stable:
            found = log.read(offset, 1 << 20, end_offset=stable)
            aborted = log.aborted_transactions(offset, found)
            records, following = visible_records(bytes(found.view()), aborted, offset)
            found.release()
            if not self.config.is_compacted:
                told = [each[:3] for each in aborted]
                possible = [each for each in self.aborted if each[2] >= offset]
                needed = [each for each in possible if each[1] < following]
                # As in Kafka: the index of offsets says roughly where the slice ends.
                assert told == [each for each in possible if each in told]
                assert set(needed) <= set(told)
            if following == offset:  # what compaction left has only batches before it
                break
            seen |= dict(records)
            offset = following
        assert seen == {offset: value for offset, value in self.committed.items() if begin <= offset < stable}


@pytest.mark.parametrize("seed", range(SEEDS))
def test_a_reader_sees_what_is_committed_from_anywhere(tmp_path: Path, seed: int) -> None:
    model = Model(tmp_path / "t-0", seed)
    for _ in range(STEPS):
        model.step()
        model.check()
    assert model.aborted
    assert model.committed
