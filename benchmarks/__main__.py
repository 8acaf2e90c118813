"""`python -m benchmarks [PART ...]`: progress on stderr, the table on stdout."""

from __future__ import annotations

import argparse
import dataclasses
import shlex
import sys
import tempfile
import time
from pathlib import Path

from benchmarks import document, ending
from benchmarks.goals import KSTREAM
from benchmarks.load import Load, LoadUnavailable
from benchmarks.machine import describe
from benchmarks.measures import Results
from benchmarks.part import Part
from benchmarks.parts import all_parts, chosen_parts, measures_of
from benchmarks.peers import NOT_TO_BE_HAD, PEERS
from benchmarks.report import as_markdown, as_text, rows
from benchmarks.run import Run, say
from benchmarks.scale import QUICK, SCALES, Scale
from compat.kafka_jars import cache_folder


def main(arguments: list[str] | None = None) -> int:
    """Run what the command line asks for; 0; 1 if kstream failed in a part; 2 if it cannot be run."""
    ending.heed_signals()
    parts = all_parts()
    chosen = _parser(parts).parse_args(arguments)
    if chosen.list:
        print("\n".join(f"{part.name:20} {part.doc}" for part in parts))
        return 0
    try:
        wanted = chosen_parts(parts, chosen.parts)
        if chosen.quick and not chosen.parts:
            wanted = [part for part in wanted if part.quick]
        peers = _peers(chosen.peers.split(",") if chosen.peers else None, is_quick=chosen.quick)
        load = Load()
    except (ValueError, LoadUnavailable) as error:
        say(f"benchmarks: {error}")
        return 2
    parent = chosen.folder or cache_folder()
    parent.mkdir(parents=True, exist_ok=True)
    measures = measures_of(parts)
    with tempfile.TemporaryDirectory(prefix="bench-", dir=parent) as folder:
        run = Run(load, _scale(chosen), Path(folder), Results(measures), peers)
        facts = {
            "command": shlex.join(["python", "-m", "benchmarks", *(arguments or sys.argv[1:])]),
            "date": time.strftime("%Y-%m-%d %H:%M %Z"),
            "machine": describe(Path(folder)),
            "versions": {name: PEERS[name].version() for name in peers},
            "not_measured": NOT_TO_BE_HAD,
        }
        run.measure(wanted)
    table = rows(
        run.results, [measure.name for part in wanted for measure in part.measures], judged=not chosen.quick
    )
    print(as_text(table))
    _print_failures(run)
    told = document.merged(document.read(chosen.json), run, wanted, facts)
    if chosen.json is not None:
        chosen.json.write_text(document.as_json(told) + "\n")
    if chosen.markdown is not None:
        chosen.markdown.write_text(as_markdown(table) + "\n")
    return int(any(KSTREAM in failures for failures in run.failed.values()))


def _print_failures(run: Run) -> None:
    for part, failures in run.failed.items():
        for peer, reason in failures.items():
            print(f"\n{part}: {peer} is left out: {reason}")
    for peer, reason in {**run.missing, **NOT_TO_BE_HAD}.items():
        print(f"\n{peer}: not measured: {reason}")


def _peers(named: list[str] | None, *, is_quick: bool) -> list[str]:
    unknown = [peer for peer in named or [] if peer not in PEERS]
    if unknown:
        raise ValueError(f"no such peer: {', '.join(unknown)} (there are {', '.join(PEERS)})")
    return named or (["kstream"] if is_quick else list(PEERS))


def _scale(chosen: argparse.Namespace) -> Scale:
    scale = QUICK if chosen.quick else SCALES[chosen.scale]
    return (
        scale if chosen.alternations is None else dataclasses.replace(scale, alternations=chosen.alternations)
    )


def _parser(parts: list[Part]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m benchmarks", description=__doc__)
    names = ", ".join(part.name for part in parts)
    parser.add_argument(
        "parts", nargs="*", metavar="PART", help=f"parts or measures to run, default all: {names}"
    )
    parser.add_argument("--list", action="store_true", help="say what parts there are, and what each does")
    parser.add_argument(
        "--quick", action="store_true", help="a few seconds that prove it runs; kstream alone"
    )
    parser.add_argument("--scale", choices=list(SCALES), default="full", help="how much of everything")
    parser.add_argument("--alternations", type=int, metavar="N", help="how often each peer's turn comes")
    parser.add_argument("--peers", metavar="A,B", help=f"default {','.join(PEERS)}")
    parser.add_argument("--folder", type=Path, help="where the servers' data goes, on a real disk")
    parser.add_argument(
        "--json",
        type=Path,
        help="write values and settings here; parts not run keep what the file has of them",
    )
    parser.add_argument("--markdown", type=Path, help="write the table here")
    return parser


if __name__ == "__main__":
    sys.exit(main())
