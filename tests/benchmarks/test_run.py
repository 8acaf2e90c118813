"""A part that fails is named, and costs nothing of what else a run measures."""

from __future__ import annotations

from pathlib import Path

import pytest
from confluent_kafka import KafkaError, KafkaException

from benchmarks import run as running
from benchmarks.load import Load
from benchmarks.measures import Results
from benchmarks.part import Measure, Part, Server, Turn, Values
from benchmarks.parts import all_parts, measures_of
from benchmarks.run import Run
from benchmarks.scale import QUICK
from compat.server_process import ServerProcess


class _NoServer(ServerProcess):
    """A peer whose server does nothing."""

    def command(self) -> list[str]:
        return []

    def wait_ready(self) -> None:
        pass

    def start(self) -> _NoServer:
        return self

    def close(self) -> None:
        pass


@pytest.fixture
def no_servers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "server", lambda *_: _NoServer.__new__(_NoServer))


def _part(name: str, **failures: Exception) -> Part:
    def work(turn: Turn) -> Values:
        if turn.peer in failures:
            raise failures[turn.peer]
        return {name: 1.0}

    return Part(name, "", (Measure(name, "MB/s", True),), run=work, server=Server.FRESH)


def _measured(folder: Path, *parts: Part) -> Run:
    run = Run(Load.__new__(Load), QUICK, folder, Results(measures_of(list(parts))), ["kstream", "kafka"])
    run.measure(parts)
    return run


@pytest.mark.usefixtures("no_servers")
@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (KafkaException(KafkaError(KafkaError.TOPIC_ALREADY_EXISTS, "it is there")), "it is there"),
        (TimeoutError(), "TimeoutError"),
        (KeyError("size"), "'size'"),
    ],
)
def test_what_a_part_raises_is_named_and_the_rest_goes_on(
    tmp_path: Path, error: Exception, reason: str
) -> None:
    run = _measured(tmp_path, _part("one", kafka=error), _part("two"))
    assert list(run.failed["one"]) == ["kafka"]
    assert reason in run.failed["one"]["kafka"]
    assert run.failed["two"] == {}
    assert run.results.values == {
        "one": {"kstream": [1.0] * QUICK.alternations},
        "two": {"kstream": [1.0] * QUICK.alternations, "kafka": [1.0] * QUICK.alternations},
    }


@pytest.mark.usefixtures("no_servers")
def test_where_kstream_fails_the_part_ends_and_the_next_one_runs(tmp_path: Path) -> None:
    run = _measured(tmp_path, _part("one", kstream=RuntimeError("no record came")), _part("two"))
    assert run.failed == {"one": {"kstream": "no record came"}, "two": {}}
    assert list(run.results.values) == ["two"]
    assert list(run.seconds) == ["one", "two"]


def test_no_part_leaves_kstream_out() -> None:
    assert [part.name for part in all_parts() if "kstream" in part.not_for] == []
