"""What the benchmark makes of the values it takes."""

from __future__ import annotations

import json

import pytest

from benchmarks.measures import MEASURES, Results, spread
from benchmarks.parts import PARTS, chosen_parts
from benchmarks.report import as_json, as_markdown, as_text, rows
from benchmarks.run import CEILING, QUICK


def results(measure: str, ours: list[float], kafka: list[float]) -> Results:
    taken = Results()
    for value in ours:
        taken.add(measure, "kstream", value, server_cpu_seconds=0.5)
    for value in kafka:
        taken.add(measure, "kafka", value)
    return taken


def test_ratios_are_of_medians_and_above_one_is_better() -> None:
    assert results("fetch-1k", [300.0, 1.0, 320.0], [100.0, 900.0, 150.0]).ratio("fetch-1k") == 2.0
    assert results("latency-p99", [50.0], [200.0]).ratio("latency-p99") == 4.0


@pytest.mark.parametrize(
    ("measure", "ours", "kafka", "met"),
    [
        ("fetch-1k", 150.0, 100.0, True),
        ("fetch-1k", 149.0, 100.0, False),
        ("latency-p50", 101.0, 100.0, False),
        ("memory-idle", 60.0, 400.0, True),
        ("memory-idle", 61.0, 400.0, False),
        ("memory-peak", 61.0, 400.0, None),
    ],
)
def test_floors_and_limits(measure: str, ours: float, kafka: float, met: bool | None) -> None:
    assert results(measure, [ours], [kafka]).is_met(measure) is met


def test_a_peer_that_was_not_measured_leaves_no_ratio() -> None:
    taken = results("fetch-1k", [150.0], [])
    assert taken.ratio("fetch-1k") is None
    assert taken.is_met("fetch-1k") is None
    assert taken.median("fetch-1k", "kafka") is None


def test_spread_is_half_the_range_in_parts_of_the_median() -> None:
    assert spread([90.0, 100.0, 110.0]) == pytest.approx(0.1)


def test_reports_tell_ratio_floor_medians_and_ceiling() -> None:
    taken = results("fetch-1k", [150.0, 160.0, 170.0], [100.0])
    taken.add("fetch-1k", CEILING, 1234.0)
    table = rows(taken, ["fetch-1k", "start"])
    expected = ("fetch-1k", "1.60", "1.5", "met", "160 ±6%", "100", "MB/s", "1,234")
    assert table == [expected]
    assert as_text(table).splitlines()[1].split() == " ".join(expected).split()
    assert as_markdown(table).splitlines()[2] == "| " + " | ".join(expected) + " |"
    document = json.loads(as_json(taken, {"date": "today"}, QUICK))
    assert document["date"] == "today"
    assert document["ratios"] == {"fetch-1k": 1.6}
    assert document["values"]["fetch-1k"]["kstream"] == [150.0, 160.0, 170.0]
    assert document["server_cpu_seconds"]["fetch-1k"]["kstream"] == [0.5, 0.5, 0.5]
    assert document["settings"]["produce"]["acks"] == "1"


def test_parts_are_chosen_by_name_or_by_measure() -> None:
    assert chosen_parts([]) == PARTS
    assert [part.name for part in chosen_parts(["fetch-100", "start"])] == ["bulk-100", "start"]
    with pytest.raises(ValueError, match="no such part: nothing"):
        chosen_parts(["nothing"])


def test_every_measure_belongs_to_one_part() -> None:
    named = [measure for part in PARTS for measure in part.measures]
    assert sorted(named) == sorted(MEASURES)
