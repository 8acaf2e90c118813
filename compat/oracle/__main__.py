"""The command: see `compat/oracle/__init__.py`."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import defaultdict
from contextlib import ExitStack
from fnmatch import fnmatch
from pathlib import Path

from compat.oracle import coverage, golden, servers
from compat.oracle.compare import Comparison, compare, stale
from compat.oracle.differences import ALLOWED
from compat.oracle.golden import Exchange
from compat.oracle.run import SCENARIOS, Scenario, perform
from compat.oracle.scenarios import load
from compat.server_process import ServerProcess

Address = tuple[str, int]
_SHOWN_MAX = 40


def main() -> int:
    """Parse the command line and carry it out; the exit code is 1 if anything differs without a reason."""
    parser = argparse.ArgumentParser(prog="python -m compat.oracle", description=__doc__)
    parser.add_argument("mode", choices=["record", "replay", "diff"])
    parser.add_argument("scenario", nargs="*", help="default: all; patterns such as `fetch*` will do")
    parser.add_argument("--kafka", metavar="HOST:PORT", help="use this Kafka in place of starting one")
    parser.add_argument("--kstream", metavar="HOST:PORT", help="use this kstream in place of starting one")
    parser.add_argument("--table", action="store_true", help="write the coverage table into the docs")
    parser.add_argument("--all", action="store_true", help="print every difference")
    options = parser.parse_intermixed_args()
    load()
    chosen = _choose(options.scenario)
    with ExitStack() as stack:
        parent = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="oracle-")))
        theirs = ours = None
        if options.mode != "replay":
            theirs = _address(options.kafka) or _start(stack, servers.kafka(parent))
        if options.mode != "record":
            ours = _address(options.kstream) or _start(stack, servers.kstream(parent))
        results = {each.name: _carry_out(each, theirs, ours) for each in chosen}
    if options.mode == "record":
        print(f"{sum(map(len, results.values()))} exchanges recorded", file=sys.stderr)
        return 0
    shown_max = 1_000_000 if options.all else _SHOWN_MAX
    if options.table:
        coverage.write(coverage.table(results, ALLOWED))
    return _report(results, shown_max)


def _carry_out(each: Scenario, theirs: Address | None, ours: Address | None) -> list[Comparison]:
    started_s = time.monotonic()
    if theirs is None:
        expected = golden.read(golden.golden_path(each.name))
    else:
        expected = _perform_on_kafka(each, theirs)
    if ours is None:
        golden.write(golden.golden_path(each.name), each.name, each.about, expected)
        print(
            f"{each.name}: {len(expected)}, {time.monotonic() - started_s:.2f} s", file=sys.stderr, flush=True
        )
        return [Comparison(exchange, [], []) for exchange in expected]
    mine, failure = perform(each, ours)
    print(f"{each.name}: {len(mine)}, {time.monotonic() - started_s:.2f} s", file=sys.stderr, flush=True)
    return compare(each.name, expected, mine, ALLOWED, failure)


def _perform_on_kafka(each: Scenario, address: Address) -> list[Exchange]:
    exchanges, failure = perform(each, address)
    if failure:
        raise SystemExit(f"{each.name} does not run against Kafka: {failure}")
    names = [exchange.name for exchange in exchanges]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise SystemExit(f"{each.name} has exchanges of the same name: {sorted(twice)}")
    return exchanges


def _report(results: dict[str, list[Comparison]], shown_max: int) -> int:
    """Print what differs without a reason, the same difference in several versions as one."""
    fields = 0
    groups: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for comparisons in results.values():
        for item in comparisons:
            for each in item.unexplained:
                fields += 1
                about = (
                    each.scenario,
                    item.exchange.api,
                    item.exchange.note,
                    each.field,
                    each.kafka,
                    each.ours,
                )
                groups[about].append(item.exchange.version)
    for (name, api, note, field, kafka, ours), versions in list(groups.items())[:shown_max]:
        shown = ",".join(str(version) for version in sorted(set(versions)))
        print(f"{name}: {api} v{shown} | {note}\n    {field}: Kafka {kafka}, kstream {ours}")
    if len(groups) > shown_max:
        print(f"... and {len(groups) - shown_max} more (--all shows them)")
    exchanges = sum(map(len, results.values()))
    wrong = sum(1 for comparisons in results.values() for item in comparisons if item.unexplained)
    print(f"{exchanges} exchanges, {wrong} differ without a reason, in {fields} fields")
    unused = stale(results, ALLOWED) if len(results) == len(SCENARIOS) else []
    for entry in unused:
        print(f"no longer needed: {entry}")
    return 1 if fields or unused else 0


def _choose(names: list[str]) -> list[Scenario]:
    if not names:
        return list(SCENARIOS.values())
    chosen = [each for each in SCENARIOS.values() if any(fnmatch(each.name, name) for name in names)]
    if not chosen:
        raise SystemExit(f"no scenario is named {' or '.join(names)}; there are {', '.join(SCENARIOS)}")
    return chosen


def _address(text: str | None) -> Address | None:
    if text is None:
        return None
    host, _, port = text.rpartition(":")
    return host, int(port)


def _start(stack: ExitStack, server: ServerProcess) -> Address:
    stack.enter_context(server)
    return server.address


sys.exit(main())
