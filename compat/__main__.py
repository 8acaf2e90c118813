"""Clients and tools against kstream or any server.

python -m compat NAME              one of them, against a kstream of its own
python -m compat matrix            all of them; a pass that is lost fails
python -m compat roundtrip         one data directory, which Apache Kafka and kstream open in turn
python -m compat exactly-once      consume, transform, produce while everything is killed, counted
python -m compat word-count        Kafka Streams, exactly_once_v2, two instances, while everything is killed
python -m compat share-workers     a hundred share consumers of three clients, while everything is killed
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Protocol

from compat.kafka_jars import KafkaUnavailable
from compat.matrix import pins
from compat.matrix.entries import ENTRIES
from compat.matrix.run import run
from compat.story import ClientMissing

_OTHERS = ("roundtrip", "exactly-once", "word-count", "share-workers")


def main() -> int:
    names = [entry.name for entry in ENTRIES]
    parser = argparse.ArgumentParser(
        prog="python -m compat", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "what", choices=["matrix", *_OTHERS, *names], metavar="NAME|matrix|roundtrip|exactly-once"
    )
    server = parser.add_mutually_exclusive_group()
    server.add_argument("--bootstrap", metavar="HOST:PORT", help="a running server, whichever it is")
    server.add_argument("--kafka", action="store_true", help="an Apache Kafka of its own for each")
    parser.add_argument("--only", nargs="+", choices=names, metavar="NAME", help="these of the matrix")
    parser.add_argument("--quick", action="store_true", help="those of the matrix that are done soon")
    parser.add_argument("--steps", nargs="+", metavar="STEP", help="only these, and no pins")
    parser.add_argument("--results", type=Path, metavar="FILE", help="write all results to it, as JSON")
    parser.add_argument("--seconds", type=float, default=60.0, help="of kills, for each trial")
    parser.add_argument("--workers", type=int, default=100, help="of share-workers")
    parser.add_argument("--seed", type=int, help="of the moments of the kills; a new one if not given")
    parser.add_argument("--pin", action="store_true", help="keep what passed, and write docs/clients.md anew")
    options = parser.parse_args()
    if options.what == "roundtrip":
        return _round_trip()
    if options.what in ("exactly-once", "word-count", "share-workers"):
        return _trials(options)

    wanted = [
        entry
        for entry in ENTRIES
        if options.what in ("matrix", entry.name)
        and (not options.only or entry.name in options.only)
        and (not options.quick or entry.quick)
    ]
    results = [
        run(entry, only=options.steps, bootstrap=options.bootstrap, kafka=options.kafka) for entry in wanted
    ]
    if options.results:
        options.results.write_text(json.dumps([asdict(result) for result in results], indent=1) + "\n")
    is_whole = not (options.steps or options.bootstrap or options.kafka)
    if options.pin and is_whole:
        pins.pin(results)
    has_failed = any(result.failed for result in results)
    lost = pins.lost(results) if is_whole else []
    for loss in lost:
        print(f"LOST {loss}")
    for result in results:
        if result.missing is not None:
            print(f"not run: {result.name}: {result.missing}")
    return 1 if has_failed or lost else 0


def _round_trip() -> int:
    from compat.one_directory.turns import ORDERS, take_turns

    for name, turns in ORDERS.items():
        print(f"{name}:", flush=True)
        with tempfile.TemporaryDirectory(prefix="one-directory-") as folder:
            try:
                take_turns(Path(folder), turns, tell=lambda line: print(f"  {line}", flush=True))
            except KafkaUnavailable as reason:
                print(f"  not run: {reason}")
                return 0
    return 0


class Trial(Protocol):
    """What one came to."""

    @property
    def faults(self) -> Sequence[str]:
        """What is wrong."""

    def line(self) -> str:
        """For a person."""


def _trials(options: argparse.Namespace) -> int:
    from compat.exactly_once.trial import CLIENTS, run_trial
    from compat.exactly_once.word_count import run_word_count
    from compat.share_workers.run import run_share_workers

    seed = random.SystemRandom().randrange(1 << 32) if options.seed is None else options.seed
    how = {"seconds": options.seconds, "seed": seed, "kafka": options.kafka}
    trials: list[Callable[[], Trial]] = [partial(run_word_count, **how)]
    if options.what == "share-workers":
        trials = [partial(run_share_workers, workers=options.workers, **how)]
    if options.what == "exactly-once":
        trials = [
            partial(run_trial, name, version, **how)
            for name, client in CLIENTS.items()
            for version in client.versions
            if not options.only or name in options.only
        ]
    has_failed = False
    for trial in trials:
        try:
            outcome = trial()
        except (ClientMissing, KafkaUnavailable) as missing:
            print(f"not run: {missing}", flush=True)
            continue
        print(outcome.line(), flush=True)
        has_failed = has_failed or bool(outcome.faults)
    return 1 if has_failed else 0


if __name__ == "__main__":
    sys.exit(main())
