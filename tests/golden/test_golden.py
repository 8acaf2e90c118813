"""Every scenario of the oracle, replayed against kstream and compared with what Apache Kafka answered.

How to record anew, and how to look into a difference: `compat/oracle/__init__.py`.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from compat.oracle import golden, servers
from compat.oracle.compare import Comparison, compare, stale
from compat.oracle.differences import ALLOWED
from compat.oracle.run import SCENARIOS, perform
from compat.oracle.scenarios import load

load()

_SHOWN_MAX = 20
_results: dict[str, list[Comparison]] = {}


@pytest.fixture(scope="session")
def address() -> Iterator[tuple[str, int]]:
    with servers.kstream() as server:
        yield server.address


@pytest.mark.parametrize("name", list(SCENARIOS))
def test_answers_as_kafka_does(name: str, address: tuple[str, int]) -> None:
    expected = golden.read(golden.golden_path(name))
    ours, failure = perform(SCENARIOS[name], address)
    comparisons = compare(name, expected, ours, ALLOWED, failure)
    _results[name] = comparisons
    unexplained = [each for comparison in comparisons for each in comparison.unexplained]
    shown = "\n".join(str(each) for each in unexplained[:_SHOWN_MAX])
    assert not unexplained, f"{len(unexplained)} fields differ from Kafka's\n{shown}"


def test_no_allowed_difference_is_stale() -> None:
    if len(_results) < len(SCENARIOS):
        pytest.skip("only a run of all scenarios can tell")
    assert stale(_results, ALLOWED) == []


def test_every_recording_has_its_scenario() -> None:
    recorded = {path.stem for path in golden.GOLDEN_FOLDER.glob("*.txt")}
    assert recorded == set(SCENARIOS)
