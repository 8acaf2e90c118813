"""The loop: limits, changes, speed, and going on after a crash."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from kstream.replay.change import Change
from kstream.replay.errors import ReplayError
from kstream.replay.event import NO_TIMESTAMP, Event
from kstream.replay.files import JsonLinesSource, JsonLinesTarget
from kstream.replay.moments import Range, parse_range
from kstream.replay.pace import Pace
from kstream.replay.progress_file import ProgressFile
from kstream.replay.run import Counts, replay
from kstream.replay.where import parse_condition

EVENTS = [Event(n % 2, n // 2, 1000 * n, b"k%d" % (n % 3), b"v%d" % n) for n in range(10)]


class Clock:
    """Time that passes only while somebody sleeps."""

    def __init__(self) -> None:
        self.time_s = 100.0
        self.slept_s: list[float] = []

    def now_s(self) -> float:
        return self.time_s

    def sleep(self, seconds: float) -> None:
        self.slept_s.append(seconds)
        self.time_s += seconds


def pace(clock: Clock | None = None, *, speed: float | None = None, rate: float | None = None) -> Pace:
    clock = clock or Clock()
    return Pace(speed=speed, rate=rate, clock=clock.now_s, sleep=clock.sleep)


def file_of(path: Path, events: list[Event]) -> Path:
    target = JsonLinesTarget(path)
    for event in events:
        target.write(event)
    target.flush()
    target.close()
    return path


def events_in(path: Path, span: Range | None = None) -> list[Event]:
    source = JsonLinesSource(path, span or Range())
    found = list(source.events({}))
    source.close()
    return found


@pytest.fixture
def source(tmp_path: Path) -> Iterator[JsonLinesSource]:
    opened = JsonLinesSource(file_of(tmp_path / "in.jsonl", EVENTS), Range())
    yield opened
    opened.close()


@pytest.fixture
def target(tmp_path: Path) -> Iterator[JsonLinesTarget]:
    opened = JsonLinesTarget(tmp_path / "out.jsonl")
    yield opened
    opened.close()


def test_all_go_over_unchanged(source: JsonLinesSource, target: JsonLinesTarget, tmp_path: Path) -> None:
    assert source.partition_count() == 2
    assert replay(source, target, pace=pace()) == Counts(10, 10, 9000)
    assert events_in(tmp_path / "out.jsonl") == EVENTS
    assert source.done == source.total


def test_only_those_meant_and_so_many(
    source: JsonLinesSource, target: JsonLinesTarget, tmp_path: Path
) -> None:
    counts = replay(source, target, pace=pace(), where=parse_condition("key=k1"), limit=2)
    assert counts == Counts(5, 2, 4000)
    assert events_in(tmp_path / "out.jsonl") == [EVENTS[1], EVENTS[4]]


def test_no_limit_reads_nothing_at_zero(source: JsonLinesSource, target: JsonLinesTarget) -> None:
    assert replay(source, target, pace=pace(), limit=0) == Counts(0, 0, None)


def test_dry_run_counts(source: JsonLinesSource) -> None:
    assert replay(source, None, pace=pace()) == Counts(10, 10, 9000)


def test_changes() -> None:
    event = Event(1, 5, 7, b"k", b"v", (("a", b"1"), ("b", b"2"), ("a", b"3")))
    assert Change().apply(event) == event
    assert Change(partition=4).apply(event).partition == 4
    assert Change(is_partitioned_anew=True).apply(event).partition is None
    assert Change(key=b"x").apply(event).key == b"x"
    assert Change(drops_key=True).apply(event).key is None
    assert Change(headers=(("a", b"9"),)).apply(event).headers == (("b", b"2"), ("a", b"9"))
    assert Change(dropped_headers=frozenset("b")).apply(event).headers == (("a", b"1"), ("a", b"3"))
    assert Change(drops_timestamp=True).apply(event).timestamp_ms == NO_TIMESTAMP


@pytest.mark.parametrize(("speed", "seconds"), [(1.0, 9.0), (10.0, 0.9), (0.5, 18.0)])
def test_time_between_records_is_kept_or_scaled(
    source: JsonLinesSource, speed: float, seconds: float
) -> None:
    clock = Clock()
    replay(source, None, pace=pace(clock, speed=speed))
    assert sum(clock.slept_s) == pytest.approx(seconds)


def test_fixed_rate(source: JsonLinesSource) -> None:
    clock = Clock()
    replay(source, None, pace=pace(clock, rate=100))
    assert clock.slept_s == pytest.approx([0.01] * 9)


def test_a_pause_delays_everything_behind_it_and_shortens_nothing(source: JsonLinesSource) -> None:
    clock = Clock()
    written_s: list[float] = []

    def pause(event: Event) -> None:
        if event == EVENTS[3]:
            clock.time_s += 60

    replay(
        source,
        None,
        pace=pace(clock, speed=1),
        before_each=pause,
        after_each=lambda counts: written_s.append(clock.time_s - 100),
    )
    assert written_s == pytest.approx([0, 1, 2, 63, 64, 65, 66, 67, 68, 69])


def test_a_record_without_a_time_or_out_of_order_is_due_at_once() -> None:
    clock = Clock()
    steady = pace(clock, speed=1)
    for timestamp_ms in (5000, NO_TIMESTAMP, 4000, 6000):
        steady.wait_for(Event(0, 0, timestamp_ms, None, None))
    assert clock.slept_s == pytest.approx([1.0])


@pytest.mark.parametrize("options", [{"speed": 1.0, "rate": 1.0}, {"speed": 0.0}, {"rate": -1.0}])
def test_speeds_that_make_no_sense(options: dict[str, float]) -> None:
    with pytest.raises(ReplayError):
        pace(**options)  # type: ignore[arg-type]


class Crash(Exception):
    """The process ends."""


@pytest.mark.parametrize("crash_at", range(10))
def test_a_resumed_file_has_each_record_once(tmp_path: Path, crash_at: int) -> None:
    """Progress is noted after the sixth record; the crash comes before, then, or behind it."""
    origin = file_of(tmp_path / "in.jsonl", EVENTS)
    progress = ProgressFile(tmp_path / "progress.json", source="in", target="out")
    clock = Clock()

    def crash(counts: Counts) -> None:
        if counts.read == 5:
            clock.time_s += 60  # long enough to be noted with the next record
        if counts.read > crash_at:
            raise Crash

    first = JsonLinesSource(origin, Range())
    out = JsonLinesTarget(tmp_path / "out.jsonl")
    with pytest.raises(Crash):
        replay(first, out, pace=pace(clock), progress_file=progress, after_each=crash)
    first.close()
    out.close()  # what was buffered reaches the file, noted or not
    noted = progress.load()
    assert sum(noted.next_offsets.values()) == (6 if crash_at >= 5 else 0)
    second = JsonLinesSource(origin, Range())
    out = JsonLinesTarget(tmp_path / "out.jsonl", kept_bytes=noted.target_bytes)
    replay(second, out, pace=pace(), progress_file=progress)
    second.close()
    out.close()
    assert events_in(tmp_path / "out.jsonl") == EVENTS
    assert sum(progress.load().next_offsets.values()) == 10


def test_progress_of_another_replay_is_not_taken(tmp_path: Path) -> None:
    path = tmp_path / "progress.json"
    mine = ProgressFile(path, source="a", target="b")
    mine.save(mine.load())
    with pytest.raises(ReplayError, match="belongs to another replay, from a to b"):
        ProgressFile(path, source="a", target="c").load()
    path.write_text("{}")
    with pytest.raises(ReplayError, match="is no progress file"):
        mine.load()


@pytest.mark.parametrize(
    ("text", "numbers"),
    [("2:4", [4, 5, 6, 7]), ("1:", range(2, 10)), (":1", [0, 1]), ("1970-01-01T00:00:07Z:", [7, 8, 9])],
)
def test_a_range_of_a_file(tmp_path: Path, text: str, numbers: list[int]) -> None:
    path = file_of(tmp_path / "in.jsonl", EVENTS)
    assert events_in(path, parse_range(text, 0)) == [EVENTS[n] for n in numbers]


def test_the_last_records_of_a_file_are_not_known(tmp_path: Path) -> None:
    with pytest.raises(ReplayError, match="a file is read from its beginning"):
        JsonLinesSource(tmp_path / "in.jsonl", parse_range("-5", 0))
