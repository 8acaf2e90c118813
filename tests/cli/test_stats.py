"""`kstream stats`, as a person would type it."""

from __future__ import annotations

import json
import time

import pytest

from kstream.cli import main
from tests.web.conftest import used
from tests.web.harness import HttpBroker, http_broker

__all__ = ["used"]


def wait_for_a_delay(used: HttpBroker) -> None:
    """Return once the event loop's delay was measured for the first time."""
    end_s = time.monotonic() + 60
    while used.get("/v1/stats").json["event_loop_delay"]["p50_ms"] is None:
        assert time.monotonic() < end_s, "it is never measured"


def test_rates_latencies_errors_and_queues(used: HttpBroker, capsys: pytest.CaptureFixture[str]) -> None:
    wait_for_a_delay(used)
    assert main(["stats", "--http", f"127.0.0.1:{used.port}", "--interval", "0.05"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("records in 0/s, bytes in 0/s, out 0/s\n")
    assert "errors 0/s, queue " in shown
    assert "event loop delay: p50 " in shown
    (line,) = [line for line in shown.splitlines() if line.startswith("ListGroups\t")]
    assert line.split("\t")[4] == "1"


def test_for_machines(used: HttpBroker, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["stats", "--http", f"127.0.0.1:{used.port}", "--interval", "0.05", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    (produce,) = [each for each in answer["requests"] if each["request"] == "Produce"]
    assert produce["count"] == 3
    assert 0 < produce["p50_ms"] <= produce["p99_ms"] <= produce["max_ms"]


def test_who_does_not_answer_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["stats", "--http", "127.0.0.1:1"]) == 3
    assert "no answer from 127.0.0.1:1" in capsys.readouterr().err
    with http_broker(token="a-long-random-token") as broker:
        assert main(["stats", "--http", f"127.0.0.1:{broker.port}"]) == 4
        assert "wants its token" in capsys.readouterr().err
        token = ["--http-token", "a-long-random-token"]
        assert main(["stats", "--http", f"127.0.0.1:{broker.port}", "--interval", "0.05", *token]) == 0
