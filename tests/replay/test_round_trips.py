"""Nothing of a record is lost in a file or a data directory, whatever it holds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kstream.replay import jsonl
from kstream.replay.errors import ReplayError
from kstream.replay.event import NO_TIMESTAMP, Event
from kstream.replay.moments import Range
from kstream.replay.open import open_source, open_target
from kstream.replay.places import parse_place
from tests.replay.events import events


def write(place: str, records: Sequence[Event]) -> None:
    target = open_target(parse_place(place, "127.0.0.1:1"))
    target.prepare(lambda: 4)
    for event in records:
        target.write(event)
    target.flush()
    target.close()


def read(place: str, span: Range | None = None) -> list[Event]:
    source = open_source(parse_place(place, "127.0.0.1:1"), span or Range())
    try:
        return list(source.events({}))
    finally:
        source.close()


@given(events())
def test_json_lines(records: list[Event]) -> None:
    assert [jsonl.from_line(jsonl.to_line(event)) for event in records] == records


@pytest.mark.parametrize("place", ["out.jsonl", "out.parquet"])
@settings(max_examples=30)
@given(records=events())
def test_file(place: str, records: list[Event]) -> None:
    with TemporaryDirectory() as folder:
        path = str(Path(folder) / place)
        write(path, records)
        assert read(path) == records


@settings(max_examples=10)
@given(events())
def test_directory(records: list[Event]) -> None:
    """Partitions are merged by time there, each in its own order."""
    with TemporaryDirectory() as folder:
        write(f"{folder}/data/orders", records)
        found = read(f"{folder}/data/orders")
    assert Counter(found) == Counter(records)
    for partition in range(4):
        offsets = [event.offset for event in found if event.partition == partition]
        assert offsets == list(range(len(offsets)))


def test_a_time_that_nobody_gave_and_one_by_the_broker_stay_what_they_are(tmp_path: Path) -> None:
    records = [Event(0, 0, NO_TIMESTAMP, None, b"v"), Event(0, 1, 5, None, b"v", is_append_time=True)]
    for name in ("out.jsonl", "out.parquet"):
        write(str(tmp_path / name), records)
        assert read(str(tmp_path / name)) == records


def test_directory_is_left_as_it_is(tmp_path: Path) -> None:
    write(f"{tmp_path}/data/orders", [Event(0, 0, 5, b"k", b"v")])
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert read(f"{tmp_path}/data/orders") == [Event(0, 0, 5, b"k", b"v")]
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_directory_is_continued(tmp_path: Path) -> None:
    for value in (b"1", b"2"):
        write(f"{tmp_path}/data/orders", [Event(1, 9, 5, None, value)])
    assert [(each.offset, each.value) for each in read(f"{tmp_path}/data/orders")] == [(0, b"1"), (1, b"2")]


def test_torn_end_of_a_directory_ends_it_and_a_torn_middle_is_an_error(tmp_path: Path) -> None:
    for value in (b"1", b"2"):
        write(f"{tmp_path}/data/orders", [Event(0, None, 5, None, value)])
    (log,) = (tmp_path / "data" / "orders-0").glob("*.log")
    whole = log.read_bytes()
    log.write_bytes(whole[:-1])
    assert [each.value for each in read(f"{tmp_path}/data/orders")] == [b"1"]
    log.write_bytes(whole[:65] + bytes([whole[65] ^ 1]) + whole[66:])
    with pytest.raises(ReplayError, match="orders-0, offset 0: "):
        read(f"{tmp_path}/data/orders")


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("", "not JSON"),
        ("[]", "a line is an object"),
        ('{"key": "k"}', "at least a value"),
        ('{"value": null, "valu": 1}', "unknown field valu"),
        ('{"value": null, "partition": "0"}', "partition is a whole number"),
        ('{"value": null, "offset": true}', "offset is a whole number"),
        ('{"value": {"base64": "!"}}', "not base64"),
        ('{"value": "\\ud800"}', "surrogate"),
        ('{"value": null, "headers": ["type"]}', "headers are a list"),
        ('{"value": null, "headers": [[1, "x"]]}', "a header's name is a string"),
    ],
)
def test_a_bad_line_is_said(line: str, reason: str) -> None:
    with pytest.raises(ReplayError, match=reason):
        jsonl.from_line(line)


@given(st.text() | st.binary())
def test_any_line_is_read_or_refused(line: str | bytes) -> None:
    try:
        event = jsonl.from_line(line)
    except ReplayError:
        return
    assert jsonl.from_line(jsonl.to_line(event)) == event


def test_other_json_is_a_value_as_it_is() -> None:
    event = jsonl.from_line('{"value": {"a": [1, null]}, "key": 7, "headers": {"type": "order"}}')
    assert (event.key, event.value, event.headers) == (b"7", b'{"a":[1,null]}', (("type", b"order"),))
