"""The plots of the docs, from the JSON of results: `python -m benchmarks.plots RESULTS.json FOLDER`.

One SVG a curve, how cost grows, with a line for each peer; and one of all ratios, kstream's to each peer's.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from matplotlib import pyplot
from matplotlib.figure import Figure

from benchmarks.document import read, results_of
from benchmarks.goals import CEILING, KSTREAM, MACHINE
from benchmarks.measures import Results
from benchmarks.parts import all_parts, measures_of
from benchmarks.peers import PEERS

_COLOURS = dict(zip(PEERS, ("#d62728", "#7f7f7f", "#1f77b4", "#2ca02c"), strict=True))
_SETTINGS: Any = {
    "svg.hashsalt": "kstream",  # the same values make the same file
    "svg.fonttype": "none",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
}


def plot(results: Results, folder: Path) -> list[Path]:
    """Write all plots that the results have values for; returns the files."""
    folder.mkdir(parents=True, exist_ok=True)
    curves: dict[str, list[str]] = {}
    for name, measure in results.measures.items():
        if measure.curve is not None and results.values.get(name):
            curves.setdefault(measure.curve, []).append(name)
    with pyplot.rc_context(_SETTINGS):
        written = [_curve(results, name, points, folder) for name, points in curves.items()]
        return [_ratios(results, folder), *written]


def _curve(results: Results, name: str, points: list[str], folder: Path) -> Path:
    figure, axes = pyplot.subplots(figsize=(5, 3))
    for peer in PEERS:
        taken = [
            (results.measures[point].at, median)
            for point in points
            if (median := results.median(point, peer)) is not None
        ]
        if taken:
            axes.plot(*zip(*taken, strict=True), marker="o", markersize=4, label=peer, color=_COLOURS[peer])
    axes.set_xscale("log")
    axes.set_ylim(bottom=0)
    axes.set_title(name)
    axes.set_ylabel(results.measures[points[0]].unit)
    axes.legend(frameon=False)
    return _saved(figure, folder / f"{name}.svg")


def _ratios(results: Results, folder: Path) -> Path:
    """Bars: how many times better kstream is than each peer, on a logarithmic scale, 1 being level."""
    others = [peer for peer in PEERS if peer not in (KSTREAM, CEILING, MACHINE)]
    names = [
        name
        for name in results.values
        if results.measures[name].curve is None
        and any(results.better(name, peer) is not None for peer in others)
    ]
    figure, axes = pyplot.subplots(figsize=(7, 0.5 + 0.33 * max(len(names), 1)))
    height = 0.8 / len(others)
    for index, peer in enumerate(others):
        for row, name in enumerate(names):
            ratio = results.better(name, peer)
            if ratio is not None:
                axes.barh(
                    row + index * height,
                    ratio - 1,
                    height,
                    left=1,
                    color=_COLOURS[peer],
                    label=None if axes.get_legend_handles_labels()[1].count(peer) else peer,
                )
    axes.axvline(1, color="black", linewidth=0.8)
    axes.set_xscale("log")
    axes.set_yticks([row + 0.4 - height / 2 for row in range(len(names))], names)
    axes.invert_yaxis()
    axes.set_xlabel("times as good as the peer; right of 1 kstream is ahead")
    axes.legend(frameon=False, loc="lower right")
    return _saved(figure, folder / "ratios.svg")


def _saved(figure: Figure, path: Path) -> Path:
    figure.savefig(path, format="svg", bbox_inches="tight", metadata={"Date": None, "Creator": None})
    pyplot.close(figure)
    return path


def main(arguments: list[str]) -> int:
    """Plot; 2 if the arguments are not two."""
    if len(arguments) != 2:
        print(f"usage: {__doc__}", file=sys.stderr)
        return 2
    results = results_of(read(Path(arguments[0])), measures_of(all_parts()))
    for path in plot(results, Path(arguments[1])):
        print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
