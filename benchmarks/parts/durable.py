"""Acknowledged means on the disk: one record a request, with `flush.messages=1`."""

from __future__ import annotations

from dataclasses import replace

from benchmarks.goals import Times
from benchmarks.part import Part, Turn, Values, curve
from benchmarks.scale import Scale

_SIZE = 1024
_PRODUCERS = (1, 16, 256)
_REQUESTS = {1: 300, 16: 3_000, 256: 10_000}
_FULL = Scale()
_GOALS = {1: 1.0, 16: 3.0, 256: 3.0}


def durable(turn: Turn) -> Values:
    """So many producers on one partition, each with one request under way."""
    return {f"durable@{producers}": _rate(turn, producers) for producers in _PRODUCERS}


def _rate(turn: Turn, producers: int) -> float:
    def send() -> float:
        sample = turn.load.wire_requests(
            turn.bootstrap,
            topic,
            records=max(producers, _REQUESTS[producers] * turn.scale.requests // _FULL.requests),
            size=_SIZE,
            connections=turn.scale.at_most(producers),
            depth=1,
        )
        return sample.records_per_second

    with turn.topic(flush_messages="1") as topic:
        return turn.on_server(f"durable@{producers}", send)


PARTS = [
    Part(
        name="durable",
        doc="Requests of one record of 1 KB with flush.messages=1, by the number of producers",
        measures=tuple(
            replace(measure, goals=(Times(_GOALS[producers], "kafka"),))
            for producers, measure in zip(
                _PRODUCERS, curve("durable", "requests/s", _PRODUCERS, higher_is_better=True), strict=True
            )
        ),
        run=durable,
        rounds=3,
        not_for={
            "kfake": "keeps nothing on the disk",
            "tansu": "was not compared",
        },
    ),
]
