"""`python -m benchmarks [PART ...]`: progress on stderr, the table on stdout."""

from __future__ import annotations

import argparse
import dataclasses
import shlex
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from benchmarks.load import Load, LoadUnavailable
from benchmarks.machine import describe
from benchmarks.measures import Results
from benchmarks.parts import PARTS, Part, chosen_parts
from benchmarks.peers import PEERS, server
from benchmarks.report import as_json, as_markdown, as_text, rows
from benchmarks.run import QUICK, Run, Scale, say
from benchmarks.settle import settle
from compat.kafka_jars import KafkaUnavailable, cache_folder
from compat.server_process import ServerFailed, ServerProcess


def main(arguments: list[str] | None = None) -> int:
    """Run what the command line asks for; 0, or 2 when it cannot be run."""
    chosen = _parser().parse_args(arguments)
    scale = QUICK if chosen.quick else Scale()
    if chosen.alternations is not None:
        scale = dataclasses.replace(scale, alternations=chosen.alternations)
    peers = chosen.peers.split(",") if chosen.peers else list(PEERS[:1] if chosen.quick else PEERS)
    try:
        parts = chosen_parts(chosen.parts)
        load = Load()
    except (ValueError, LoadUnavailable) as error:
        say(f"benchmarks: {error}")
        return 2
    parent = chosen.folder or cache_folder()
    parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="bench-", dir=parent) as folder:
        run = Run(load, scale, Path(folder), Results())
        facts = {
            "command": shlex.join(["python", "-m", "benchmarks", *(arguments or sys.argv[1:])]),
            "date": time.strftime("%Y-%m-%d %H:%M %Z"),
            "machine": describe(Path(folder)),
        }
        missing = measure(run, parts, peers)
    table = rows(run.results, [name for part in parts for name in part.measures])
    print(as_text(table))
    for peer, reason in missing.items():
        print(f"\n{peer}: not measured: {reason}")
    _write(chosen.json, as_json(run.results, {**facts, "not_measured": missing}, scale))
    _write(chosen.markdown, as_markdown(table))
    return 0


def measure(run: Run, parts: list[Part], peers: list[str]) -> dict[str, str]:
    """Run the parts on the peers in turn; returns the peers that could not be started, with the reason."""
    missing: dict[str, str] = {}
    with ExitStack() as stack:
        shared: dict[str, ServerProcess] = {}
        for peer in peers:
            try:
                shared[peer] = stack.enter_context(server(peer, run.folder))
            except (KafkaUnavailable, ServerFailed, OSError) as error:
                missing[peer] = str(error)
                say(f"{peer} cannot be started: {error}")
        for part in parts:
            if part.shared is not None:
                _alternate_shared(run, part, shared)
    # Alone means alone: the servers above have stopped.
    for part in parts:
        if part.alone is not None:
            _alternate_alone(run, part, list(shared))
    return missing


def _alternate_shared(run: Run, part: Part, servers: dict[str, ServerProcess]) -> None:
    assert part.shared is not None
    for round_number in range(run.scale.alternations + 1):
        run.is_warming = round_number == 0
        say(f"{part.name}: {_round(run, round_number)}")
        for peer, running in servers.items():
            settle(run.scale.settle_bytes)
            part.shared(run, peer, running)


def _alternate_alone(run: Run, part: Part, peers: list[str]) -> None:
    assert part.alone is not None
    run.is_warming = False
    for round_number in range(1, 1 + (run.scale.alternations if part.repeats else 1)):
        say(f"{part.name}: {_round(run, round_number)}")
        for peer in peers:
            settle(0)
            part.alone(run, peer)


def _round(run: Run, round_number: int) -> str:
    return "warm-up" if run.is_warming else f"{round_number} of {run.scale.alternations}"


def _write(path: Path | None, text: str) -> None:
    if path is not None:
        path.write_text(text + "\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m benchmarks", description=__doc__)
    names = ", ".join(sorted({name for part in PARTS for name in (part.name, *part.measures)}))
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"what to run, default all: {names}")
    parser.add_argument(
        "--quick", action="store_true", help="a few seconds that prove it runs; kstream alone"
    )
    parser.add_argument("--alternations", type=int, metavar="N", help="how often each peer's turn comes")
    parser.add_argument("--peers", metavar="A,B", help=f"default {','.join(PEERS)}")
    parser.add_argument("--folder", type=Path, help="where the servers' data goes, on a real disk")
    parser.add_argument("--json", type=Path, help="write all values and settings here")
    parser.add_argument("--markdown", type=Path, help="write the table here")
    return parser


if __name__ == "__main__":
    sys.exit(main())
