"""The JSON of results: what was measured, part by part, kept over runs, so that parts can be run apart.

    {"parts": {"bulk-1k": {"date", "command", "machine": {..}, "versions": {..}, "scale": {..}, "seconds",
               "failed": {peer: reason}, "values": {measure: {peer: [..]}}, "server_cpu_seconds": {..}}, ..},
     "not_measured": {peer: reason}}

A run replaces the parts that it ran and leaves the others, and those in which kstream failed if they were
measured before: what failed, and with what, is told at the end of a run.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.goals import KSTREAM
from benchmarks.load import FETCH_SETTINGS, ONE_RECORD_SETTINGS, PRODUCE_SETTINGS
from benchmarks.measures import Results
from benchmarks.part import Measure, Part
from benchmarks.run import Run


def read(path: Path | None) -> dict[str, Any]:
    """The document at `path`; an empty one if there is none."""
    if path is None or not path.exists():
        return {"parts": {}, "not_measured": {}}
    document: dict[str, Any] = json.loads(path.read_text())
    return document


def merged(
    document: Mapping[str, Any], run: Run, parts: Sequence[Part], facts: Mapping[str, Any]
) -> dict[str, Any]:
    """`document` with the parts of `run` in place of what it had of them."""
    told = {
        part.name: _part(run, part, facts)
        for part in parts
        if part.name in run.seconds and not (_has_failed(run, part) and part.name in document["parts"])
    }
    return {
        "parts": {**document["parts"], **told},
        "not_measured": {**document["not_measured"], **facts["not_measured"], **run.missing},
        "settings": {"produce": PRODUCE_SETTINGS, "one record": ONE_RECORD_SETTINGS, "fetch": FETCH_SETTINGS},
    }


def _has_failed(run: Run, part: Part) -> bool:
    """Whether there is nothing of kstream's to tell, the reason aside."""
    return KSTREAM in run.failed.get(part.name, {})


def _part(run: Run, part: Part, facts: Mapping[str, Any]) -> dict[str, Any]:
    names = [measure.name for measure in part.measures]
    results = run.results
    return {
        **{key: value for key, value in facts.items() if key != "not_measured"},
        "scale": asdict(run.scale),
        "seconds": round(run.seconds[part.name], 1),
        "failed": run.failed.get(part.name, {}),
        "values": {name: results.values[name] for name in names if name in results.values},
        "server_cpu_seconds": {
            name: results.server_cpu[name] for name in names if name in results.server_cpu
        },
    }


def results_of(document: Mapping[str, Any], measures: Mapping[str, Measure]) -> Results:
    """The values of all the parts together; measures that are no more are left out."""
    results = Results(measures)
    for part in document["parts"].values():
        for name, values in part["values"].items():
            if name in measures:
                results.values[name] = values
        for name, seconds in part["server_cpu_seconds"].items():
            if name in measures:
                results.server_cpu[name] = seconds
    return results


def as_json(document: Mapping[str, Any]) -> str:
    """Short lines for people, one value list in one line."""
    return json.dumps(document, indent=1, ensure_ascii=False)
