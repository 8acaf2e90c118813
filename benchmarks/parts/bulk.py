"""Records in bulk: one producer, one partition, then all of it fetched."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

from benchmarks.canned_fetch import CannedFetch
from benchmarks.goals import CEILING, MACHINE, OTHERS, Either, Goal, Times
from benchmarks.load import MOCK, Sample
from benchmarks.part import Measure, Part, Turn, Values
from benchmarks.scale import KIB

_PRODUCE_GOALS: tuple[Goal, ...] = (
    Either(Times(1.5, "kafka"), Times(0.8, CEILING)),
    Times(1.5, OTHERS),
    Times(0.6, MACHINE, of="limit-receive-append"),
)
_FETCH_GOALS: tuple[Goal, ...] = (
    Either(Times(2.0, "kafka"), Times(0.9, CEILING)),
    Times(2.0, OTHERS),
    Times(0.7, MACHINE, of="limit-sendfile"),
)
_LIMITS = ("limit-receive-append", "limit-sendfile")
_SMALL_GOALS: tuple[Goal, ...] = (Times(1.3, "kafka"), Times(1.0, OTHERS))


def _records(turn: Turn, size: int) -> int:
    return turn.scale.bulk_bytes // size if size >= KIB else turn.scale.small_records


def _rate(sample: Sample, size: int) -> float:
    return sample.mb_per_second if size >= KIB else sample.records_per_second


def _kept_segment(turn: Turn, suffix: str) -> Path:
    return turn.folder / f"segment-{suffix}.log"


def bulk(turn: Turn, *, suffix: str, size: int) -> Values:
    """Produce to a new topic, then fetch it all, by the bare client and by librdkafka."""
    records = _records(turn, size)
    values: dict[str, float] = {}
    with turn.topic() as topic:
        work = partial(turn.load.produce, turn.bootstrap, topic, records=records, size=size)
        values[f"produce-{suffix}"] = _rate(turn.on_server(f"produce-{suffix}", work), size)
        for measure, fetch in (
            (f"fetch-{suffix}", turn.load.bare_fetch),
            (f"fetch-{suffix}-librdkafka", turn.load.fetch),
        ):
            got = turn.on_server(measure, partial(fetch, turn.bootstrap, topic, records=records))
            values[measure] = _rate(got, size)
        if turn.peer == "kstream" and not _kept_segment(turn, suffix).exists():
            # For the ceiling: what a server that only sends has to send.
            partition = turn.server.folder / "data" / f"{topic}-0"
            os.link(min(partition.glob("*.log")), _kept_segment(turn, suffix))
    return values


def bulk_ceiling(turn: Turn, *, suffix: str, size: int) -> Values:
    """The same against librdkafka's mock cluster, and a server that sends one segment from the page cache."""
    records = _records(turn, size)
    values = {f"produce-{suffix}": _rate(turn.load.produce(MOCK, "bench", records=records, size=size), size)}
    segment = _kept_segment(turn, suffix)
    if segment.exists():
        with CannedFetch(segment, "bench") as canned:
            got = turn.load.bare_fetch(canned.bootstrap, "bench", records=records)
            values[f"fetch-{suffix}"] = _rate(got, size)
            got = turn.load.fetch(canned.bootstrap, "bench", records=records)
            values[f"fetch-{suffix}-librdkafka"] = _rate(got, size)
    return values


def _part(suffix: str, size: int, doc: str, goals: tuple[tuple[Goal, ...], tuple[Goal, ...]]) -> Part:
    unit = "MB/s" if size >= KIB else "records/s"
    produce_goals, fetch_goals = goals
    produce_limit, fetch_limit = _LIMITS if size >= KIB else (None, None)
    return Part(
        name=f"bulk-{suffix}",
        doc=doc,
        measures=(
            Measure(f"produce-{suffix}", unit, True, goals=produce_goals, limit=produce_limit),
            Measure(f"fetch-{suffix}", unit, True, goals=fetch_goals, limit=fetch_limit),
            Measure(f"fetch-{suffix}-librdkafka", unit, True),
        ),
        run=partial(bulk, suffix=suffix, size=size),
        ceiling=partial(bulk_ceiling, suffix=suffix, size=size),
        quick=True,
    )


_DOC = "{}: one producer, one partition, acks=1, batches up to 1 MB; then all of it fetched, 1 MiB a request"
PARTS = [
    _part("1k", KIB, _DOC.format("Records of 1,024 bytes"), (_PRODUCE_GOALS, _FETCH_GOALS)),
    _part("10k", 10 * KIB, _DOC.format("Records of 10,240 bytes"), (_PRODUCE_GOALS, _FETCH_GOALS)),
    _part("100", 100, _DOC.format("Records of 100 bytes"), (_SMALL_GOALS, _SMALL_GOALS)),
]
