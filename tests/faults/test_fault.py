"""What a fault can be told, and whom it meets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kstream.errors import ErrorCode
from kstream.faults import BadFault, Faults, Kind
from kstream.faults.fault import Seen
from kstream.faults.scenarios import SCENARIOS, described
from kstream.wire.apis import ApiKey


def _met(faults: Faults, count: int, seen: Seen) -> list[bool]:
    return [bool(faults.take(seen)) for _ in range(count)]


def test_names_are_taken_as_people_write_them() -> None:
    faults = Faults()
    for name in ("Produce", "PRODUCE", "produce", 0, "0", ["Produce"]):
        fault = faults.add_described({"kind": "error", "api": name, "error": "not_coordinator"})
        assert fault.apis == {ApiKey.PRODUCE}
        assert fault.error is ErrorCode.NOT_COORDINATOR
    assert faults.add_described({"kind": "disk-full"}).kind is Kind.DISK_FULL
    assert faults.add("latency", ms=1, api="init_producer_id").apis == {ApiKey.INIT_PRODUCER_ID}


@pytest.mark.parametrize(
    ("described", "told"),
    [
        ({}, "there is no fault None: error, latency"),
        ({"kind": "explode"}, "there is no fault explode"),
        ({"kind": "error"}, "error needs error"),
        ({"kind": "error", "error": "OOPS"}, "there is no error OOPS"),
        ({"kind": "error", "error": 0}, "NONE is no error"),
        ({"kind": "latency"}, "latency needs ms"),
        ({"kind": "latency", "ms": -1}, "ms is a whole number of at least 0"),
        ({"kind": "latency", "ms": True}, "ms is a whole number"),
        ({"kind": "latency", "ms": 1, "bytes": 2}, "latency takes no bytes: it takes api"),
        ({"kind": "latency", "ms": 1, "api": "Proudce"}, "there is no API Proudce"),
        ({"kind": "latency", "ms": 1, "api": 3.5}, "api is a name"),
        ({"kind": "latency", "ms": 1, "topic": ""}, "topic is a name, or a pattern"),
        ({"kind": "drop", "count": 0}, "count is a whole number of at least 1"),
        ({"kind": "drop", "probability": 0}, "probability is above 0"),
        ({"kind": "drop", "when": "during"}, "when is before or after"),
        ({"kind": "disk_full", "group": "g"}, "disk_full takes no group"),
        ({"kind": "crash", "count": 2}, "crash without api happens once, and at once"),
        ({"kind": "drop", "color": "red"}, "drop takes no color"),
    ],
)
def test_what_cannot_be_is_refused_with_a_reason(described: dict[str, Any], told: str) -> None:
    faults = Faults()
    with pytest.raises(BadFault, match=told):
        faults.add_described(described)
    assert faults.all() == []


def test_all_that_is_given_must_fit() -> None:
    faults = Faults()
    faults.add("drop", api=["Fetch", "Produce"], client_id="web-*", topic="orders", group="g")
    fits = Seen(ApiKey.FETCH, "web-1", {"orders", "more"}, {"g"})
    assert _met(faults, 1, fits) == [True]
    for other in (
        fits._replace(api=ApiKey.METADATA),
        fits._replace(client_id="app"),
        fits._replace(topics=()),
        fits._replace(topics={"orders2"}),
        fits._replace(groups={"h"}),
    ):
        assert _met(faults, 1, other) == [False]


def test_count_and_skip() -> None:
    faults = Faults()
    fault = faults.add("drop", count=2, skip=1)
    assert _met(faults, 5, Seen(ApiKey.FETCH)) == [False, True, True, False, False]
    assert not faults.meets_requests
    assert fault.describe() == {
        "id": 1, "kind": "drop", "when": "before", "count": 2, "skip": 1, "hits": 2, "is_active": False,
    }  # fmt: skip


def test_chance_repeats_with_its_seed() -> None:
    seen = Seen(ApiKey.FETCH)
    runs = []
    for seed in (7, 7, 8):
        faults = Faults()
        faults.add("drop", probability=0.3, seed=seed)
        runs.append(_met(faults, 1000, seen))
    assert runs[0] == runs[1] != runs[2]
    assert 200 < sum(runs[0]) < 400
    described = faults.add("drop", probability=0.5).describe()
    again = Faults().add_described({name: described[name] for name in ("kind", "probability", "seed")})
    assert again.seed == described["seed"]


def test_who_listens_hears_of_every_change() -> None:
    faults = Faults()
    heard: list[bool] = []
    faults.on_change(lambda: heard.append(faults.meets_requests))
    first = faults.add("drop", count=1)
    faults.take(Seen(ApiKey.FETCH))
    faults.add("stall")
    assert faults.remove(first.id)
    assert not faults.remove(first.id)
    assert faults.clear() == 1
    assert heard == [True, False, True, True, False]


def test_a_successor_has_the_same_faults() -> None:
    faults = Faults()
    faults.add("drop", count=2)
    seen = Seen(ApiKey.FETCH)
    faults.take(seen)
    assert _met(faults.successor(), 2, seen) == [True, False]


def test_scenarios_are_sound() -> None:
    faults = Faults()
    for scenario in SCENARIOS:
        dashed = scenario.name.replace(" ", "-")
        assert [fault.kind for fault in faults.start_scenario(dashed)] == [
            fault["kind"] for fault in scenario.faults
        ]
    assert len({each["name"] for each in described()}) == len(SCENARIOS)
    with pytest.raises(BadFault, match="there is no scenario 'nothing': flaky coordinator"):
        faults.start_scenario("nothing")


def test_filters_go_to_the_faults_that_take_them() -> None:
    faults = Faults()
    latency, disk = faults.start_scenario("slow broker", {"topic": "t", "client_id": "c"})
    assert (latency.topic, latency.client_id, disk.topic, disk.client_id) == ("t", "c", "t", None)
    with pytest.raises(BadFault, match="nothing in 'full disk' can be told group"):
        faults.start_scenario("full disk", {"group": "g"})
    before = len(faults.all())
    with pytest.raises(BadFault):
        faults.start_scenario("slow broker", {"topic": ""})
    assert len(faults.all()) == before


def test_the_page_tells_of_every_kind_and_scenario() -> None:
    page = (Path(__file__).parents[2] / "docs/faults.md").read_text()
    for name in (*(f"`{kind}`" for kind in Kind), *(scenario.name for scenario in SCENARIOS)):
        assert f"| {name} |" in page
