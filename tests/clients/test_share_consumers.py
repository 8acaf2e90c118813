"""Stock share consumers (KIP-932): work is done once, comes again when it must, and is never lost with a
worker.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from compat.kstream_server import KstreamServer
from compat.share_workers.history import Event
from compat.share_workers.worker import confluent_command, go_command, java_command
from compat.story import ClientMissing
from kstream.testing.client import WireClient
from kstream.wire.messages.incremental_alter_configs import (
    AlterableConfig,
    AlterConfigsResource,
    IncrementalAlterConfigsRequest,
)
from tests.requests import create_topic, produce, values_batch

pytestmark = pytest.mark.clients

PARTITIONS = 2
TIMEOUT_S = 90.0
_GROUP_RESOURCE = 32
FEW_AT_ONCE = {
    "librdkafka": "fetch.max.bytes=1000",
    "franz-go": "share.max.records=5",
    "java": "max.poll.records=5",
}
"""So that a worker that dies has done only a part of the work."""
_ROOT = Path(__file__).parents[2]


_news = threading.Condition()
"""Told whenever a worker says something, or ends; held while `events` grow."""


class Worker:
    """A share consumer in a process of its own."""

    def __init__(self, client: str, server: KstreamServer, settings: str, topic: str) -> None:
        if client == "java":
            command = java_command()
        elif client == "franz-go":
            command = go_command()
        else:
            command = confluent_command()
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as the process
        self._process = subprocess.Popen(
            [*command, server.bootstrap, settings, topic],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            cwd=_ROOT,
            env={**os.environ, "PYTHONWARNINGS": "ignore"},
        )
        self.events: list[Event] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith(b"[") and line.rstrip().endswith(b"]"):
                with _news:
                    self.events.append(Event(*json.loads(line)))
                    _news.notify_all()
        self._process.wait()
        with _news:
            _news.notify_all()

    def check(self) -> None:
        """It must not have ended by itself."""
        if self._process.poll() is not None:
            self._said.seek(0)
            raise AssertionError(self._said.read().decode(errors="replace")[-2000:])

    def close(self) -> None:
        """Let it leave in order."""
        assert self._process.stdin is not None
        self._process.stdin.write(b"\n")
        self._process.stdin.flush()
        self._process.wait(30)
        self.kill()

    def kill(self) -> None:
        """End it as a crash does."""
        self._process.kill()
        self._process.wait()
        self._reader.join(10)
        for pipe in (self._process.stdin, self._process.stdout, self._said):
            if pipe is not None:
                pipe.close()


@pytest.fixture(scope="module")
def server() -> Iterator[KstreamServer]:
    with KstreamServer() as running:
        yield running
        assert running.is_running, running.log_tail()
        assert "Traceback" not in running.log_path.read_text(), running.log_tail()


@pytest.fixture(params=["librdkafka", "franz-go", pytest.param("java", marks=pytest.mark.java)])
def client(request: pytest.FixtureRequest) -> str:
    try:
        if request.param == "franz-go":
            go_command()
        if request.param == "java":
            java_command()
    except ClientMissing as error:
        pytest.skip(str(error))
    return str(request.param)


def queue(server: KstreamServer, topic: str, values: list[str], **configs: str) -> None:
    """A topic with values, and a group of its name that begins with the first of them."""
    configs = {"share.auto.offset.reset": "earliest", **configs}
    altered = [AlterableConfig(name=name, config_operation=0, value=value) for name, value in configs.items()]
    resource = AlterConfigsResource(resource_type=_GROUP_RESOURCE, resource_name=topic, configs=altered)
    with WireClient(*server.address) as wire:
        create_topic(wire, topic, PARTITIONS)
        answer = wire.request(IncrementalAlterConfigsRequest(resources=[resource]), 1)
        assert answer.responses[0].error_code == 0, answer.responses[0].error_message
        for partition in range(PARTITIONS):
            for at in range(partition, len(values), 20):
                batch = values_batch([value.encode() for value in values[at : at + 20 : PARTITIONS]])
                assert produce(wire, topic, batch, partition=partition).error_code == 0


def until(workers: list[Worker], condition: Callable[[], bool]) -> None:
    """Wait until what workers said makes it so; none of them may have ended."""

    def is_so() -> bool:
        if condition():
            return True
        for worker in workers:
            worker.check()
        return False

    with _news:
        assert _news.wait_for(is_so, TIMEOUT_S), [worker.events for worker in workers]


def settled(events: list[Event]) -> set[str]:
    return {event.value for event in events if event.what in ("accept", "reject")}


def test_each_record_is_accepted_released_rejected_or_renewed(server: KstreamServer, client: str) -> None:
    kinds = ["accept", "release", "reject"] + (["renew"] if client == "java" else [])
    values = [f"{kind}-{number}" for number in range(10) for kind in kinds]
    topic = f"kinds-{client}"
    queue(server, topic, values)
    worker = Worker(client, server, f"group.id={topic}", topic)
    with ExitStack() as stack:
        stack.callback(worker.kill)
        until([worker], lambda: settled(worker.events) == set(values))
        worker.close()
    got = [event for event in worker.events if event.what == "got"]
    for value in values:
        deliveries = [event.delivery_count for event in got if event.value == value]
        # What is renewed a client shows again by itself, without a delivery.
        expected = {"release": [1, 2], "renew": [1, 1]}.get(value.partition("-")[0], [1])
        assert deliveries == expected, value


def test_records_nobody_acknowledges_by_name_are_accepted_with_the_next(
    server: KstreamServer, client: str
) -> None:
    if client == "franz-go":
        pytest.skip("share-worker always says what it does with a record")
    topic = f"implicit-{client}"
    values = [f"v-{number}" for number in range(40)]
    queue(server, topic, values)
    settings = f"group.id={topic};share.acknowledgement.mode=implicit"
    with ExitStack() as stack:
        first = Worker(client, server, settings, topic)
        stack.callback(first.kill)
        until([first], lambda: settled(first.events) == set(values))
        first.close()
        second = Worker(client, server, settings, topic)
        stack.callback(second.kill)
        with WireClient(*server.address) as wire:
            assert produce(wire, topic, values_batch([b"last"]), partition=0).error_code == 0
        until([second], lambda: "last" in settled(second.events))
        second.close()
    assert {event.value for event in second.events} == {"last"}


def test_what_killed_workers_had_comes_again_and_nothing_is_done_twice(
    server: KstreamServer, client: str
) -> None:
    topic = f"kills-{client}"
    values = [f"v-{number}" for number in range(400)]
    queue(server, topic, values, **{"share.delivery.count.limit": "10"})
    chance = random.Random(7)
    workers: list[Worker] = []
    done: list[Event] = []

    def start() -> None:
        workers.append(Worker(client, server, f"group.id={topic};{FEW_AT_ONCE[client]}", topic))

    def all_events() -> list[Event]:
        return done + [event for worker in workers for event in worker.events]

    with ExitStack() as stack:
        stack.callback(kill_all, workers)
        for _ in range(3):
            start()
        for kills in range(4):
            wanted = 40 * (kills + 1)
            until(workers, lambda: len(settled(all_events())) >= wanted)  # noqa: B023
            victim = workers.pop(chance.randrange(len(workers)))
            victim.kill()
            done += victim.events
            start()
        # What was accepted and not told any more is not to come again: so wait for what has come.
        until(workers, lambda: len({event.value for event in all_events()}) == len(values))
        untold = {event.value for event in all_events()} - settled(all_events())
        until(workers, lambda: untold_is_over(untold, all_events(), done))
        for worker in workers:
            worker.close()
    accepted = [event.value for event in all_events() if event.what == "accept"]
    assert len(accepted) == len(set(accepted)), "a record was accepted twice"
    missing = set(values) - set(accepted)
    assert missing <= {event.value for event in done}, "only who was killed can have done work untold"


def kill_all(workers: list[Worker]) -> None:
    for worker in workers:
        worker.kill()


def untold_is_over(untold: set[str], events: list[Event], killed: list[Event]) -> bool:
    """Whether everything is settled, but for what a killed worker may have settled with its last breath."""
    return untold - settled(events) <= {event.value for event in killed}


def test_a_server_that_is_killed_loses_no_record_and_no_acceptance(tmp_path: Path, client: str) -> None:
    values = [f"v-{number}" for number in range(200)]
    with ExitStack() as stack:
        server = stack.enter_context(KstreamServer(folder=tmp_path))
        queue(server, "jobs", values)
        worker = Worker(client, server, f"group.id=jobs;{FEW_AT_ONCE[client]}", "jobs")
        stack.callback(worker.kill)
        for wanted in (30, 90):
            until([worker], lambda: len(settled(worker.events)) >= wanted)  # noqa: B023
            server.kill()
            server.start()
        until([worker], lambda: {event.value for event in worker.events} == set(values))
        accepted: list[Any] = [event.value for event in worker.events if event.what == "accept"]
    assert len(accepted) == len(set(accepted)), "what was accepted came again"
