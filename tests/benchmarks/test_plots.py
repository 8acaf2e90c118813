"""The plots of the benchmarks' values."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest

from benchmarks.measures import Results
from benchmarks.part import Measure, curve

pytest.importorskip("matplotlib", reason="plots need matplotlib, of the extra dev")


def test_a_curve_has_a_line_for_each_peer_and_ratios_a_bar(tmp_path: Path) -> None:
    from benchmarks.plots import plot

    points = curve("latency-by-groups", "µs", (1, 100), higher_is_better=False)
    work = Measure("work", "MB/s", True)
    results = Results({each.name: each for each in (*points, work)})
    for peer, value in (("kstream", 100.0), ("kafka", 50.0)):
        for name in results.measures:
            results.add(name, peer, value)
    ratios, line = plot(results, tmp_path)
    assert [ratios.name, line.name] == ["ratios.svg", "latency-by-groups.svg"]
    texts = ["".join(text.itertext()) for text in ElementTree.parse(line).iter() if text.tag.endswith("text")]
    assert {"kstream", "kafka", "µs", "latency-by-groups"} <= set(texts)
    assert "kfake" not in texts
    assert "work" in ratios.read_text()
    before = line.read_bytes()
    assert plot(results, tmp_path)[1].read_bytes() == before
