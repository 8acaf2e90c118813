"""A broker inside the process of the tests."""

from __future__ import annotations

import shutil
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from kstream.broker import why
from kstream.broker.broker import Broker as InnerBroker
from kstream.broker.metadata.create_topics import NewTopic, create_topics
from kstream.broker.metadata.delete_topics import TopicKey, delete_topics
from kstream.broker.snapshot import write_snapshot
from kstream.errors import ApiError
from kstream.replay.event import Event
from kstream.testing import positions, report
from kstream.testing.aio import in_thread
from kstream.testing.clock import TestingClock, leap
from kstream.testing.errors import BrokerNotRunning
from kstream.testing.faults import BrokerFaults
from kstream.testing.loading import load, partitions_needed
from kstream.testing.producing import partition_count, produce_record
from kstream.testing.reading import committed_records
from kstream.testing.server import Server
from kstream.testing.settling import settle
from kstream.testing.snapshots import Snapshot, temporary_folder
from kstream.testing.thread import ServerThread
from kstream.testing.watching import ReturnedError
from kstream.wire.apis import ApiKey

T = TypeVar("T")

Text = str | bytes
"""Text is sent as UTF-8."""

_POLL_S = 0.005


class Broker:
    """A broker of its own in a thread of its own, on a free port of 127.0.0.1.

    `topics` are there from the start: names, or names with counts of partitions. `settings` are the broker's,
    with underscores for dots (`log_retention_ms=1000`); what is not given is kstream's default, except that
    idle connections are not closed. Without `data_dir` the data is in a temporary folder, removed at the end.

    Every method blocks until its work is done, a few milliseconds; a coroutine can call it as it is, or
    through `trio.to_thread.run_sync` and `asyncio.to_thread` where a loop should not stand still.
    """

    clock: TestingClock
    """Runs as the machine's clock does, and `advance(hours=2)` moves it ahead: retention, sessions,
    transactions and long polls follow. Clients keep their own time.
    """

    def __init__(
        self,
        topics: Mapping[str, int] | Iterable[str] = (),
        *,
        data_dir: Path | None = None,
        **settings: object,
    ) -> None:
        wanted = topics.items() if isinstance(topics, Mapping) else [(name, None) for name in topics]
        self._topics: list[tuple[str, int | None]] = list(wanted)
        self._data_dir = data_dir
        self._settings = {"connections.max.idle.ms": "-1", "listeners": "PLAINTEXT://127.0.0.1:0"}
        self._settings |= with_dots(settings)
        self._server: Server | None = None
        self._snapshots: list[Snapshot] = []
        self._ahead_ms = 0
        self._ephemeral: Path | None = None
        self.faults = BrokerFaults(self._faulty)
        """What goes wrong on purpose."""

    # Start and stop

    def start(self) -> None:
        """Return when clients are served.

        Raises:
            ConfigError, ListenError, DirectoryInUse, UnusableDirectory, ApiError: the message says what.
        """
        if self._server is not None:
            raise RuntimeError("the broker was started already: make another one")
        data_dir = self._data_dir or self._ephemeral
        if data_dir is None:
            data_dir = self._ephemeral = temporary_folder()
        try:
            self.clock = TestingClock(self._leap)
            self.clock.move(self._ahead_ms)
            server = Server(
                self._settings,
                data_dir,
                self.clock,
                self._topics,
                is_ephemeral=self._ephemeral is not None,
            )
            server.start()
        except BaseException:
            self._remove()
            raise
        self._server = server

    def stop(self) -> None:
        """Stop cleanly, and remove a temporary folder. Raises what ended the broker before its time."""
        try:
            if self._server is not None:
                self._server.stop()
        finally:
            self._remove()

    def crash(self) -> None:
        """End as `kill -9` ends a process, and return when nothing is left but the data directory.

        Connections break, and what was only in memory is gone: `restart` shows what that means to clients.
        """
        self._started.crash()

    def restart(self) -> None:
        """Start again with the same data, addresses, clock and faults; a broker that runs stops cleanly
        first.
        """
        self._started.restart()

    # Whole states

    def snapshot(self, path: Path | None = None) -> Snapshot:
        """Keep everything as it is now: records, groups, transactions, metadata.

        It is in a temporary folder that goes with this broker, or in `path`, a directory that is new or
        empty. `restore` goes back to it, and `Broker(data_dir=snapshot.path)` works on it.

        Raises:
            UnusableDirectory: there is something in `path`, or it cannot be written.
        """
        target = temporary_folder() if path is None else path
        self._copy_to(target)
        snapshot = Snapshot(target, is_temporary=path is None)
        self._snapshots.append(snapshot)
        return snapshot

    def restore(self, snapshot: Snapshot) -> None:
        """Go back to a snapshot: what happened since did not. Clients lose their connections, and find the
        broker at the same address; the clock goes on.
        """
        self._started.go_back(snapshot.copy_to)

    def fork(self) -> Broker:
        """Another broker with the state, settings and time of this one, at an address of its own; neither
        knows what the other does from now on. Use it as a context manager.
        """
        other = Broker()
        other._settings = self._settings | {"listeners": other._settings["listeners"]}
        other._ahead_ms = self.clock.ahead_ms
        other._ephemeral = temporary_folder()
        self._copy_to(other._ephemeral)
        return other

    def _copy_to(self, target: Path) -> None:
        broker = self._running.broker
        self._running.run(lambda: write_snapshot(broker, target))

    async def __aenter__(self) -> Self:
        await in_thread(self.start)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await in_thread(self.stop)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def bootstrap_servers(self) -> str:
        """`127.0.0.1:PORT`, as clients want it."""
        return ",".join(self._running.addresses)

    # Topics

    def topic(self, name: str, partitions: int = 1, **configs: object) -> str:
        """Create a topic, and return its name once it can be produced to and fetched.

        `configs` are the topic's, with underscores for dots (`retention_ms=1000`).

        Raises:
            ApiError: TOPIC_ALREADY_EXISTS, INVALID_CONFIG and what else CreateTopics answers.
        """
        broker = self._running.broker
        wanted = NewTopic(name, partitions, configs=tuple(with_dots(configs).items()))

        async def work() -> None:
            (created,) = await broker.metadata.update(
                lambda image: create_topics(image, broker.config, [wanted])
            )
            _check(created.error)
            for index in range(created.num_partitions):
                await broker.partitions.wait_open(name, index)

        self._running.run(work)
        return name

    def delete_topic(self, name: str) -> None:
        """Delete a topic; when this returns the name is free again, and what groups committed of it is gone.

        Raises:
            ApiError: UNKNOWN_TOPIC_OR_PARTITION.
        """
        broker = self._running.broker

        async def work() -> None:
            (deleted,) = await broker.metadata.update(lambda image: delete_topics(image, [TopicKey(name)]))
            _check(deleted.error)
            await settle()

        self._running.run(work)

    # Records and positions

    def produce(
        self,
        topic: str,
        value: Text | None = None,
        *,
        key: Text | None = None,
        headers: Mapping[str, Text | None] | Iterable[tuple[str, Text | None]] = (),
        partition: int | None = None,
        timestamp_ms: int | None = None,
    ) -> Event:
        """Append one record, and return it as it stands in the log.

        Without `partition`, the key chooses as in Java's client; what has no key goes to partition 0. The
        time is the broker's unless given.

        Raises:
            ApiError: what Produce answers, such as UNKNOWN_TOPIC_OR_PARTITION.
        """
        encoded_key, encoded_value = _encoded(key), _encoded(value)
        pairs = headers.items() if isinstance(headers, Mapping) else headers
        encoded_headers = tuple((name, _encoded(content)) for name, content in pairs)
        broker, handler = self._running.broker, self._started.registrations[ApiKey.PRODUCE].handler
        return self._running.run(
            lambda: produce_record(
                broker,
                handler,
                topic,
                encoded_key,
                encoded_value,
                encoded_headers,
                partition=partition,
                timestamp_ms=timestamp_ms,
            )
        )

    def load(self, path: str | Path, topic: str | None = None) -> int:
        """Append the records of a file of JSON Lines, as `kstream replay` writes them, and return how many.

        Keys, values, headers and times are kept, and partitions where the lines have them. Without `topic`
        the file's name says which; one that is not there is created with as many partitions as needed.

        Raises:
            ReplayError: a line is not such a record; those before it are there.
            ApiError: what Produce answers.
        """
        path = Path(path)
        name = path.name.partition(".")[0] if topic is None else topic
        broker, handler = self._running.broker, self._started.registrations[ApiKey.PRODUCE].handler

        async def work() -> int:
            if name not in broker.metadata.image.topics_by_name:
                await broker.create_missing_topics([(name, partitions_needed(path))])
            return await load(broker, handler, path, name)

        return self._running.run(work)

    def records(self, topic: str, partition: int | None = None) -> list[Event]:
        """What a consumer that reads committed finds: by partition, then by offset.

        Raises:
            ApiError: UNKNOWN_TOPIC_OR_PARTITION.
        """
        partitions = range(partition_count(self._running.broker, topic)) if partition is None else [partition]
        broker = self._running.broker

        async def work() -> list[Event]:
            return [
                event
                for index in partitions
                for event in await committed_records(await broker.partitions.wait_open(topic, index))
            ]

        return self._running.run(work)

    def committed(self, group: str) -> dict[tuple[str, int], int]:
        """The positions that a group has committed, by topic and partition; none for a group unknown."""
        broker = self._running.broker
        return self._running.run(lambda: positions.committed(broker, group))

    # Waiting and looking

    def wait_for(self, predicate: Callable[[], T], *, timeout_s: float = 30.0) -> T:
        """Ask until the answer is true, and return it.

        Raises TimeoutError, with all that the broker has seen, after `timeout_s` of the machine's time.
        """
        deadline_s = time.monotonic() + timeout_s
        while not (answer := predicate()):
            if time.monotonic() >= deadline_s:
                raise TimeoutError(f"not so after {timeout_s:g} s\n{self.report()}")
            time.sleep(_POLL_S)
        return answer

    @property
    def errors(self) -> list[ReturnedError]:
        """The last errors that were returned to clients, the newest last."""
        return list(self._started.errors)

    def report(self) -> str:
        """Topics with counts, groups with positions and members, faults, the last errors and requests: text
        for a person.
        """
        broker = self._running.broker
        seen = self._running.run(lambda: report.lines(broker))
        seen += report.fault_lines(broker)
        seen += report.error_lines(self._started.errors)
        return "\n".join(seen + report.request_lines(list(self._started.requests)))

    @contextmanager
    def trace(self, path: str | Path) -> Iterator[None]:
        """Note all traffic in a file while the block runs; `kstream trace` decodes it.

        Raises BadTrace: the file cannot be written.
        """
        self._trace(Path(path))
        try:
            yield
        finally:
            self._trace(None)

    def _trace(self, path: Path | None) -> None:
        start = self._running.broker.start_trace
        assert start is not None

        async def work() -> None:
            start(path)

        self._running.run(work)

    def why(self, group: str, topic: str | None = None) -> list[str]:
        """Why nothing arrives at a group, from `topic` if one is given: a line for each reason."""
        broker = self._running.broker
        found = self._running.run(lambda: why.explain(broker, group, topic))
        return [f"{finding['reason']}: {finding['text']}" for finding in found["findings"]]

    # Within

    @property
    def _started(self) -> Server:
        if self._server is None:
            raise BrokerNotRunning("the broker is not started: use it as a context manager")
        return self._server

    @property
    def _running(self) -> ServerThread:
        return self._started.thread

    def _faulty(self, work: Callable[[InnerBroker], Awaitable[T]]) -> T:
        running = self._running
        return running.run(lambda: work(running.broker))

    def _leap(self, by_ms: int) -> None:
        self._running.run(lambda: leap(self._running.broker, self.clock, by_ms))

    def _remove(self) -> None:
        for snapshot in self._snapshots:
            snapshot.remove()
        if self._ephemeral is not None:
            shutil.rmtree(self._ephemeral, ignore_errors=True)


def with_dots(values: Mapping[str, object]) -> dict[str, str]:
    """Settings as Kafka spells them: dots for underscores in names, lower-case booleans."""
    return {
        name.replace("_", "."): str(value).lower() if isinstance(value, bool) else str(value)
        for name, value in values.items()
    }


def _encoded(text: Text | None) -> bytes | None:
    return text.encode() if isinstance(text, str) else text


def _check(error: ApiError | None) -> None:
    if error is not None:
        raise error
