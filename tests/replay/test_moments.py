"""Places and ranges in a topic, as people write them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kstream.replay.errors import ReplayError
from kstream.replay.moments import BEGINNING, END, Kind, Moment, Range, parse_moment, parse_range, split_range

NOW_MS = 1_800_000_000_000


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("beginning", BEGINNING),
        ("earliest", BEGINNING),
        ("end", END),
        ("0", Moment(Kind.OFFSET, 0)),
        ("42", Moment(Kind.OFFSET, 42)),
        ("-100", Moment(Kind.LAST, 100)),
        ("-1h", Moment(Kind.TIME, NOW_MS - 3_600_000)),
        ("-90s", Moment(Kind.TIME, NOW_MS - 90_000)),
        ("-2w", Moment(Kind.TIME, NOW_MS - 14 * 86_400_000)),
        ("-250ms", Moment(Kind.TIME, NOW_MS - 250)),
        ("-99999w", Moment(Kind.TIME, 0)),
        ("2026-11-23T10:15:30.250Z", Moment(Kind.TIME, 1_795_428_930_250)),
        ("2026-11-23T12:15:30.250+02:00", Moment(Kind.TIME, 1_795_428_930_250)),
    ],
)
def test_moments(text: str, moment: Moment) -> None:
    assert parse_moment(text, NOW_MS) == moment


@pytest.mark.parametrize("text", ["", "x", "--1", "-1y", "1.5", "2026-13-01", "beginning "])
def test_what_is_no_moment_is_said_with_what_would_be(text: str) -> None:
    with pytest.raises(ReplayError, match="is no place in a topic: write beginning"):
        parse_moment(text, NOW_MS)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("100:200", Range(Moment(Kind.OFFSET, 100), Moment(Kind.OFFSET, 200))),
        ("-1h:", Range(Moment(Kind.TIME, NOW_MS - 3_600_000), END)),
        (":end", Range(BEGINNING, END)),
        ("-5", Range(Moment(Kind.LAST, 5), END)),
        (
            "2026-11-23T10:15Z:2026-11-23T10:16Z",
            Range(Moment(Kind.TIME, 1_795_428_900_000), Moment(Kind.TIME, 1_795_428_960_000)),
        ),
        ("2026-11-23T10:15Z:", Range(Moment(Kind.TIME, 1_795_428_900_000), END)),
    ],
)
def test_ranges(text: str, expected: Range) -> None:
    assert parse_range(text, NOW_MS) == expected


@given(
    st.datetimes(datetime(1971, 1, 2), datetime(2200, 1, 1)),
    st.datetimes(datetime(1971, 1, 2), datetime(2200, 1, 1)),
)
def test_a_range_of_two_times_is_split_between_them(start: datetime, end: datetime) -> None:
    first, second = (each.replace(tzinfo=UTC).isoformat(timespec="milliseconds") for each in (start, end))
    span = parse_range(f"{first}:{second}", NOW_MS)
    assert span == Range(parse_moment(first, NOW_MS), parse_moment(second, NOW_MS))


def test_a_bad_range_is_said() -> None:
    with pytest.raises(ReplayError, match=r"a:b is no range: write FROM:UNTIL"):
        parse_range("a:b", NOW_MS)


def test_the_last_at_sign_begins_a_range() -> None:
    assert split_range("orders") == ("orders", None)
    assert split_range("orders@-1h:") == ("orders", "-1h:")
    assert split_range("a@b/orders@5") == ("a@b/orders", "5")
