"""Has an entry of the matrix do its steps against a server, and says aloud what passes."""

from __future__ import annotations

import os
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from compat.builds import BuildFailed
from compat.kafka_server import KafkaServer
from compat.kstream_server import KstreamServer
from compat.matrix.entries import Entry
from compat.matrix.stage import Session, Stage, Step
from compat.server_process import ServerProcess
from compat.story import ClientMissing


@dataclass
class Result:
    """What one entry did. `missing` says why it could not run here; then the rest is empty."""

    name: str
    kind: str
    version: str = ""
    missing: str | None = None
    passed: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    gaps: dict[str, str] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)


def run(
    entry: Entry, *, only: Sequence[str] | None = None, bootstrap: str | None = None, kafka: bool = False
) -> Result:
    """Run an entry, or only some steps, against a running server, or a Kafka or kstream of its own."""
    result = Result(entry.name, entry.kind)
    try:
        with _stage(entry, result, bootstrap, kafka) as stage:
            session = entry.open(stage)
            try:
                steps = [step for step in session.steps() if only is None or step.name in only]
                _do(session, steps, stage, result)
            finally:
                session.close()
    except ClientMissing as missing:
        result.missing = str(missing)
        print(f"{entry.name}: not run: {missing}", flush=True)
        return result
    except BuildFailed as broken:
        result.failed["build"] = str(broken)
        print(f"{entry.name}: FAILED to build\n{broken}", flush=True)
    for what, why in result.gaps.items():
        print(f"  not told: {what}: {why}")
    took = sum(result.seconds.values())
    print(
        f"{entry.name}: {len(result.passed)} passed, {len(result.failed)} failed ({took:.0f} s)", flush=True
    )
    return result


@contextmanager
def _stage(entry: Entry, result: Result, bootstrap: str | None, kafka: bool) -> Iterator[Stage]:
    prefix = f"{entry.name}-{os.getpid()}-{int(time.time())}"
    if bootstrap is not None:
        yield Stage(bootstrap, prefix, None)
        return
    with _server(kafka, entry.settings) as server:

        def restart() -> None:
            server.kill()
            server.start()

        yield Stage(server.bootstrap, prefix, restart)
        if not server.is_running:
            result.failed["server"] = f"the server ended by itself:\n{server.log_tail()}"
        elif not kafka and "Traceback" in server.log_path.read_text():
            result.failed["server"] = f"the server's log has a traceback:\n{server.log_tail()}"


def _server(kafka: bool, settings: Mapping[str, str]) -> ServerProcess:
    if kafka:
        return KafkaServer(settings)
    return KstreamServer(settings)


def _do(session: Session, steps: Sequence[Step], stage: Stage, result: Result) -> None:
    result.version = session.version()
    result.gaps = dict(session.gaps)
    print(f"{result.name} {result.version} against {stage.bootstrap}", flush=True)
    for step in steps:
        began = time.monotonic()
        try:
            step.run()
        except Exception:
            result.failed[step.name] = traceback.format_exc()
            print(f"  FAILED {step.name}\n{result.failed[step.name]}", flush=True)
        else:
            result.passed.append(step.name)
            print(f"  passed {step.name} ({time.monotonic() - began:.2f} s)", flush=True)
        result.seconds[step.name] = round(time.monotonic() - began, 2)
