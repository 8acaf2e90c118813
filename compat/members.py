"""Members of consumer groups, each a process of its own, and the classes of the clients that are Python.

    python -m compat.members CLIENT HOST:PORT

does as the lines of stdin say (join, poll, assigned, commit, leave: `compat/programs/README.md`). So a member
can be killed, and what its client leaves lying about when a broker goes away disturbs nobody.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import threading
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Protocol

from compat.line_process import LineProcess, bytes_of, text_of
from compat.story import Got

SESSION_TIMEOUT_S = 6.0
"""As short as servers allow by default: a death is noticed as soon."""
HEARTBEAT_S = 0.5


class InProcess(Protocol):
    """A member in this process."""

    def poll(self) -> list[Got]: ...

    def assigned(self) -> set[int]: ...

    def commit(self) -> None: ...

    def close(self) -> None: ...


class ConfluentMember:
    """librdkafka."""

    def __init__(self, bootstrap: str, topic: str, group: str) -> None:
        from confluent_kafka import Consumer

        self._consumer = Consumer(
            {
                "bootstrap.servers": bootstrap,
                "group.id": group,
                "auto.offset.reset": "earliest",
                "enable.auto.commit": False,
                "session.timeout.ms": int(SESSION_TIMEOUT_S * 1000),
                "heartbeat.interval.ms": int(HEARTBEAT_S * 1000),
                "reconnect.backoff.max.ms": 200,
            }
        )
        self._consumer.subscribe([topic])

    def poll(self) -> list[Got]:
        found = self._consumer.consume(500, timeout=0.1)
        return [
            Got(int(record.partition() or 0), int(record.offset() or 0), bytes(record.value() or b""))
            for record in found
            if record.error() is None
        ]

    def assigned(self) -> set[int]:
        return {each.partition for each in self._consumer.assignment()}

    def commit(self) -> None:
        self._consumer.commit(asynchronous=False)

    def close(self) -> None:
        self._consumer.close()


class KafkaPythonMember:
    """kafka-python."""

    def __init__(self, bootstrap: str, topic: str, group: str) -> None:
        from kafka import KafkaConsumer

        self._consumer: Any = KafkaConsumer(
            bootstrap_servers=bootstrap,
            group_id=group,
            auto_offset_reset="earliest",
            enable_auto_commit=False,
            session_timeout_ms=int(SESSION_TIMEOUT_S * 1000),
            heartbeat_interval_ms=int(HEARTBEAT_S * 1000),
        )
        # If it joins before it has heard of the topic it assigns nothing, and sometimes leaves it at that.
        self._consumer.partitions_for_topic(topic)
        self._consumer.subscribe([topic])

    def poll(self) -> list[Got]:
        found = self._consumer.poll(timeout_ms=100)
        return [
            Got(record.partition, record.offset, record.value) for batch in found.values() for record in batch
        ]

    def assigned(self) -> set[int]:
        return {each.partition for each in self._consumer.assignment()}

    def commit(self) -> None:
        self._consumer.commit()

    def close(self) -> None:
        self._consumer.close()


class AiokafkaMember:
    """aiokafka, whose loop runs in a thread, as it would in an application."""

    def __init__(self, bootstrap: str, topic: str, group: str) -> None:
        from aiokafka import AIOKafkaConsumer

        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, daemon=True).start()

        async def start() -> Any:
            consumer = AIOKafkaConsumer(
                topic,
                bootstrap_servers=bootstrap,
                group_id=group,
                auto_offset_reset="earliest",
                enable_auto_commit=False,
                session_timeout_ms=int(SESSION_TIMEOUT_S * 1000),
                heartbeat_interval_ms=int(HEARTBEAT_S * 1000),
            )
            await consumer.start()
            return consumer

        self._consumer = self._run(start())

    def _run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def poll(self) -> list[Got]:
        found = self._run(self._consumer.getmany(timeout_ms=100))
        return [
            Got(record.partition, record.offset, record.value) for batch in found.values() for record in batch
        ]

    def assigned(self) -> set[int]:
        return {each.partition for each in self._consumer.assignment()}

    def commit(self) -> None:
        self._run(self._consumer.commit())

    def close(self) -> None:
        self._run(self._consumer.stop())


MEMBERS: dict[str, Callable[[str, str, str], InProcess]] = {
    "confluent-kafka": ConfluentMember,
    "kafka-python": KafkaPythonMember,
    "aiokafka": AiokafkaMember,
}


class MemberProcess:
    """A member in a process of its own. Raises ProgramFailed with what the client raised there."""

    def __init__(self, program: Sequence[str], bootstrap: str, topic: str, group: str) -> None:
        self._process = LineProcess([*program, bootstrap])
        self._process.ask("join", topic=topic, group=group)

    def poll(self) -> list[Got]:
        """What came within a tenth of a second; rebalances happen in here too."""
        found = self._process.ask("poll")
        return [Got(partition, offset, bytes_of(value) or b"") for partition, offset, value in found]

    def assigned(self) -> set[int]:
        """Partitions that it has now."""
        return set(self._process.ask("assigned"))

    def commit(self) -> None:
        """Commit what was polled, and wait for the answer."""
        self._process.ask("commit")

    def close(self) -> None:
        """Leave the group and end, unless it was killed."""
        if self._process.is_running:
            self._process.ask("leave")
            self._process.close()

    def kill(self) -> None:
        """End it as a crash does."""
        self._process.kill()


def python_member(client: str, bootstrap: str, topic: str, group: str) -> MemberProcess:
    """A member of one of the clients in `MEMBERS`."""
    return MemberProcess([sys.executable, "-m", "compat.members", client], bootstrap, topic, group)


def main() -> None:
    """Be a member, and do as the lines of stdin say."""
    parser = argparse.ArgumentParser(prog="python -m compat.members", description=__doc__)
    parser.add_argument("client", choices=MEMBERS)
    parser.add_argument("bootstrap")
    options = parser.parse_args()
    joined: list[InProcess] = []

    def join(topic: str, group: str) -> None:
        joined.append(MEMBERS[options.client](options.bootstrap, topic, group))

    commands: dict[str, Callable[..., object]] = {
        "join": join,
        "poll": lambda: [(got.partition, got.offset, text_of(got.value)) for got in joined[0].poll()],
        "assigned": lambda: sorted(joined[0].assigned()),
        "commit": lambda: joined[0].commit(),
        "leave": lambda: joined[0].close(),
    }
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = {"result": commands[request.pop("do")](**request)}
        except Exception as error:
            answer = {"error": repr(error)}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
