"""What the benchmark makes of the values it takes."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.document import as_json, merged, read, results_of
from benchmarks.goals import CEILING, OTHERS, AtMost, Either, Goal, Times
from benchmarks.load import Load
from benchmarks.measures import Results, spread
from benchmarks.part import Measure, Part
from benchmarks.parts import all_parts, chosen_parts, measures_of
from benchmarks.report import HEAD, as_markdown, as_text, rows
from benchmarks.run import Run
from benchmarks.scale import QUICK

MEASURES = measures_of(all_parts())


def results(
    ours: list[float], kafka: list[float], *, goals: tuple[Goal, ...] = (), better: str = "high"
) -> Results:
    taken = Results({"work": Measure("work", "MB/s", better == "high", goals)})
    for value in ours:
        taken.add("work", "kstream", value, server_cpu_seconds=0.5)
    for value in kafka:
        taken.add("work", "kafka", value)
    return taken


def test_ratios_are_of_medians_and_above_one_is_better() -> None:
    assert results([300.0, 1.0, 320.0], [100.0, 900.0, 150.0]).better("work", "kafka") == 2.0
    assert results([50.0], [200.0], better="low").better("work", "kafka") == 4.0
    assert results([50.0], []).better("work", "kafka") is None


def test_the_best_other_peer_is_neither_kafka_nor_a_ceiling() -> None:
    taken = results([10.0], [100.0])
    assert taken.best_peer("work", with_kafka=False) is None
    for peer, value in (("kfake", 5.0), ("tansu", 2.0), (CEILING, 50.0), ("machine", 60.0)):
        taken.add("work", peer, value)
    assert taken.best_peer("work", with_kafka=False) == "kfake"
    assert taken.best_peer("work", with_kafka=True) == "kafka"
    lower = results([10.0], [100.0], better="low")
    lower.values["work"].update({"kfake": [5.0], "tansu": [2.0]})
    assert lower.best_peer("work", with_kafka=False) == "tansu"


@pytest.mark.parametrize(
    ("goal", "met"),
    [
        (Times(1.5, "kafka"), True),
        (Times(1.51, "kafka"), False),
        (Times(2.0, OTHERS), False),
        (Times(1.0, "tansu"), None),
        (Either(Times(2.0, "kafka"), Times(0.8, CEILING)), True),
        (Either(Times(2.0, "kafka"), Times(0.9, CEILING)), False),
        (Either(Times(2.0, "tansu"), Times(0.9, "machine")), None),
        (AtMost(150.0), True),
        (AtMost(149.0), False),
    ],
)
def test_goals(goal: Goal, met: bool | None) -> None:
    taken = results([150.0], [100.0], goals=(goal,))
    taken.add("work", "kfake", 100.0)
    taken.add("work", CEILING, 180.0)
    assert goal.is_met("work", taken) is met
    assert taken.is_met("work") is met


def test_one_missed_goal_misses() -> None:
    assert results([150.0], [100.0], goals=(Times(1.0, "kafka"), AtMost(100.0))).is_met("work") is False


def test_a_share_of_the_machines_limit_is_of_another_measure() -> None:
    taken = Results({"work": Measure("work", "MB/s", True, limit="loopback")})
    taken.add("work", "kstream", 60.0)
    taken.add("loopback", "machine", 120.0)
    assert taken.share_of_limit("work") == 0.5


def test_spread_is_half_the_range_in_parts_of_the_median() -> None:
    assert spread([90.0, 100.0, 110.0]) == pytest.approx(0.1)


def test_tables_tell_ratios_goal_and_medians() -> None:
    taken = results([150.0, 160.0, 170.0], [100.0], goals=(Times(1.5, "kafka"),))
    taken.add("work", CEILING, 1234.0)
    table = rows(taken, ["work", "not taken"])
    told = dict(zip(HEAD, table[0], strict=True))
    assert len(table) == 1
    assert (told["what"], told["÷ kafka"], told["÷ kfake"], told["of ceiling"]) == (
        "work",
        "1.60",
        "-",
        "13%",
    )
    assert (told["goal"], told["kstream"], told["kafka"], told["ceiling"]) == (
        "≥ 1.5 × kafka",
        "160 ±6%",
        "100",
        "1,234",
    )
    assert "met" in table[0]
    assert as_text(table).splitlines()[1].split()[:2] == ["work", "1.60"]
    assert as_markdown(table).splitlines()[2] == "| " + " | ".join(table[0]) + " |"


def test_a_run_replaces_its_parts_in_the_document_and_leaves_the_others(tmp_path: Path) -> None:
    def ran(value: float, name: str) -> Run:
        run = Run(
            Load.__new__(Load), QUICK, tmp_path, Results({name: Measure(name, "MB/s", True)}), ["kstream"]
        )
        run.results.add(name, "kstream", value, server_cpu_seconds=0.5)
        run.seconds[name] = 1.0
        run.missing["kafka"] = "no Java"
        return run

    def part(name: str) -> Part:
        return Part(name, "", (Measure(name, "MB/s", True),), run=lambda turn: {})

    facts = {"date": "today", "not_measured": {"redpanda": "not to be had"}}
    document = read(tmp_path / "none.json")
    for value, name in ((1.0, "one"), (2.0, "two"), (3.0, "one")):
        document = merged(document, ran(value, name), [part(name)], facts)
    failed = ran(9.0, "one")
    failed.failed["one"] = {"kstream": "no answer"}
    document = merged(document, failed, [part("one")], facts)
    path = tmp_path / "results.json"
    path.write_text(as_json(document))
    measures = {name: Measure(name, "MB/s", True) for name in ("one", "two")}
    taken = results_of(read(path), measures)
    assert taken.values == {"one": {"kstream": [3.0]}, "two": {"kstream": [2.0]}}
    assert taken.server_cpu["two"] == {"kstream": [0.5]}
    assert read(path)["not_measured"] == {"redpanda": "not to be had", "kafka": "no Java"}
    assert read(path)["parts"]["one"]["date"] == "today"


def test_parts_are_chosen_by_name_or_by_measure() -> None:
    parts = all_parts()
    assert chosen_parts(parts, []) == parts
    assert {part.name for part in chosen_parts(parts, ["fetch-100", "start"])} == {"bulk-100", "start"}
    with pytest.raises(ValueError, match="no such part: nothing"):
        chosen_parts(parts, ["nothing"])


def test_goals_name_measures_that_exist() -> None:
    for measure in MEASURES.values():
        named = [measure.limit, *(goal.of for goal in measure.goals if isinstance(goal, Times))]
        assert all(name in MEASURES for name in named if name is not None), measure.name
