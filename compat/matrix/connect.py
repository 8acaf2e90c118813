"""Kafka Connect: a file goes through a topic into another file, every line once, over restarts of all.

A standalone worker keeps the source's position in a file. A distributed one keeps all it knows in three
compacted topics, and here writes the source's lines with its position in transactions (KIP-618).
"""

from __future__ import annotations

import json
import tempfile
import threading
import urllib.request
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigResource

from compat.exactly_once.application import Application
from compat.exactly_once.traffic import committed_sum, read_committed
from compat.kafka_jars import QUIET_LOG, TOOLS_VERSION, KafkaUnavailable, java
from compat.matrix.stage import Stage, Step
from compat.server_process import HOST, free_ports
from compat.story import ClientMissing, expect, wait_until
from compat.stream_processors import connect_jars

STEPS = ("connect-standalone", "connect-distributed")
_LINES_AT_A_TIME = 300
_WAIT_S = 120.0
_FILE = "org.apache.kafka.connect.file.FileStream"
_STRINGS = "org.apache.kafka.connect.storage.StringConverter"
_STORES = ("config", "offset", "status")


class Pipe:
    """A file, a topic, and the file that gets the topic's lines, with a worker between them."""

    def __init__(self, stage: Stage, folder: Path, kind: str, command: list[str]) -> None:
        self._is_transactional = kind == "distributed"
        self.topic = f"{stage.prefix}-{kind}"
        self.port = free_ports(1)[0]
        self._stage = stage
        self._source, self._sink = folder / f"{kind}.in", folder / f"{kind}.out"
        self._source.touch()
        self._lines: list[str] = []
        self.worker = Application(command, folder / f"{kind}.said")

    def connectors(self) -> dict[str, dict[str, str]]:
        """The two connectors' configurations, by name."""
        source = {
            "connector.class": f"{_FILE}SourceConnector",
            "file": str(self._source),
            "topic": self.topic,
        }
        sink = {"connector.class": f"{_FILE}SinkConnector", "file": str(self._sink), "topics": self.topic}
        return {
            f"{self.topic}-source": {"name": f"{self.topic}-source", **source},
            f"{self.topic}-sink": {"name": f"{self.topic}-sink", **sink},
        }

    def carry(self) -> None:
        """Lines go through, while the server is killed and started again, and the worker stopped."""
        self._write()
        self._wait()
        if self._stage.restart is not None:
            restarting = threading.Thread(target=self._stage.restart)
            restarting.start()
            self._write()  # the source reads them while the server is away
            restarting.join()
            self._wait()
        self.worker.stop(_WAIT_S)
        self._write()
        self.worker.start()
        self._wait()
        (records,) = read_committed(self._stage.bootstrap, self.topic, 1).values()
        expect([value.decode() for _, value in records] == self._lines, f"{self.topic} has every line once")

    def _write(self) -> None:
        first = len(self._lines)
        lines = [f"line {number}" for number in range(first, first + _LINES_AT_A_TIME)]
        with self._source.open("a") as file:
            file.writelines(f"{line}\n" for line in lines)
        self._lines += lines

    def _wait(self) -> None:
        """Until all is in the sink, and its position is committed: what is not comes again after a crash."""
        wait_until(lambda: len(self._out()) >= len(self._lines), "all lines are there", timeout_s=_WAIT_S)
        again = Counter(self._out()) - Counter(self._lines)
        expect(self._out() == self._lines, f"every line once, in order; again or wrong: {list(again)[:10]}")
        wait_until(self._is_committed, "the sink's position is committed", timeout_s=_WAIT_S)

    def _is_committed(self) -> bool:
        bootstrap, group = self._stage.bootstrap, f"connect-{self.topic}-sink"
        with closing(Consumer({"bootstrap.servers": bootstrap, "group.id": "watching"})) as consumer:
            end = int(consumer.get_watermark_offsets(TopicPartition(self.topic, 0), 20.0)[1])
        markers = 1 if self._is_transactional else 0  # what ends the last transaction is behind the last line
        return committed_sum(bootstrap, group, self.topic, 1) >= end - markers

    def _out(self) -> list[str]:
        expect(self.worker.is_running, f"the worker goes on: {self.worker.logged()[-2000:]}")
        return self._sink.read_text().splitlines() if self._sink.exists() else []


class Connect:
    """Workers at work, each step with one of its own."""

    gaps: Mapping[str, str] = {}

    def __init__(self, stage: Stage) -> None:
        try:
            runs = [java(), "-Xmx256m", "-XX:TieredStopAtLevel=1", QUIET_LOG]
            self._java = [*runs, "-cp", f"{connect_jars()}/*"]
        except KafkaUnavailable as missing:
            raise ClientMissing(str(missing)) from missing
        self._stage = stage
        self._files = tempfile.TemporaryDirectory(prefix="connect-")
        self._folder = Path(self._files.name)
        self._pipes: list[Pipe] = []

    def version(self) -> str:
        """Connect's."""
        return TOOLS_VERSION

    def steps(self) -> Iterable[Step]:
        """One for each kind of worker."""
        yield from map(Step, STEPS, (self._standalone, self._distributed))

    def close(self) -> None:
        """End the workers, and remove all files."""
        for pipe in self._pipes:
            pipe.worker.kill()
        self._files.cleanup()

    def _standalone(self) -> None:
        files = [str(self._folder / f"{name}.properties") for name in ("standalone", "source", "sink")]
        pipe = self._pipe("standalone", "ConnectStandalone", *files)
        positions = {"offset.storage.file.filename": str(self._folder / "standalone.offsets")}
        contents = [{**self._common(pipe), **positions}, *pipe.connectors().values()]
        for file, content in zip(files, contents, strict=True):
            _write_properties(file, content)
        pipe.worker.start()
        pipe.carry()
        pipe.worker.stop(_WAIT_S)

    def _distributed(self) -> None:
        file = str(self._folder / "distributed.properties")
        pipe = self._pipe("distributed", "ConnectDistributed", file)
        stores = {f"{kind}.storage.topic": f"{pipe.topic}-{kind}" for kind in _STORES}
        single = {f"{kind}.storage.replication.factor": "1" for kind in _STORES}
        group = {"group.id": f"{pipe.topic}-workers", "exactly.once.source.support": "enabled"}
        _write_properties(file, {**self._common(pipe), **stores, **single, **group})
        pipe.worker.start()
        wait_until(lambda: _ask(pipe.port, "") == [], "the worker answers", timeout_s=_WAIT_S)
        for store in stores.values():
            expect(self._cleanup_policy(store) == "compact", f"{store} is compacted")
        for name, config in pipe.connectors().items():
            _ask(pipe.port, f"/{name}/config", config)
        pipe.carry()
        expect(sorted(_ask(pipe.port, "")) == sorted(pipe.connectors()), "the topic has the connectors")
        pipe.worker.stop(_WAIT_S)

    def _pipe(self, kind: str, main: str, *files: str) -> Pipe:
        command = [*self._java, f"org.apache.kafka.connect.cli.{main}", *files]
        self._pipes.append(Pipe(self._stage, self._folder, kind, command))
        return self._pipes[-1]

    def _common(self, pipe: Pipe) -> dict[str, str]:
        return {
            "bootstrap.servers": self._stage.bootstrap,
            "listeners": f"http://{HOST}:{pipe.port}",
            "plugin.discovery": "service_load",
            "key.converter": _STRINGS,
            "value.converter": _STRINGS,
            "offset.flush.interval.ms": "500",
        }

    def _cleanup_policy(self, topic: str) -> str:
        admin = AdminClient({"bootstrap.servers": self._stage.bootstrap})
        resource = ConfigResource(ConfigResource.Type.TOPIC, topic)
        configs = admin.describe_configs([resource])[resource].result(20)
        return str(configs["cleanup.policy"].value)


def _write_properties(file: str, values: Mapping[str, str]) -> None:
    Path(file).write_text("".join(f"{key}={value}\n" for key, value in values.items()))


def _ask(port: int, path: str, content: Mapping[str, str] | None = None) -> Any:
    """What the worker's own HTTP API says of its connectors; None while it does not answer."""
    body = None if content is None else json.dumps(content).encode()
    request = urllib.request.Request(
        f"http://{HOST}:{port}/connectors{path}",
        data=body,
        headers={"Content-Type": "application/json"},
        method="GET" if body is None else "PUT",
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)
    except OSError:
        if body is not None:
            raise
        return None
