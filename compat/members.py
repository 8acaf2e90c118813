"""Members of consumer groups, one class for each client, and each member a process of its own.

    python -m compat.members CLIENT HOST:PORT TOPIC GROUP

reads a command from each line of stdin (poll, assigned, commit, close) and answers with a line of JSON. So a
member can be killed, and what its client leaves lying about when a broker goes away disturbs nobody.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import subprocess
import sys
import threading
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, NamedTuple, Protocol

SESSION_TIMEOUT_S = 6.0
"""As short as servers allow by default: a death is noticed as soon."""
HEARTBEAT_S = 0.5


class Got(NamedTuple):
    """A record that a member read."""

    partition: int
    offset: int
    value: bytes


class Member(Protocol):
    """One consumer in a group, that reads from the beginning and commits when told to."""

    def poll(self) -> list[Got]:
        """What came within a tenth of a second; rebalances happen in here too."""
        ...

    def assigned(self) -> set[int]:
        """Partitions that it has now."""
        ...

    def commit(self) -> None:
        """Commit what was polled, and wait for the answer. Raises what the client raises."""
        ...

    def close(self) -> None:
        """Leave the group."""
        ...


class ConfluentMember:
    """librdkafka."""

    def __init__(self, bootstrap: str, topic: str, group: str) -> None:
        from confluent_kafka import Consumer

        quiet = logging.getLogger("compat.members")
        quiet.propagate = False
        quiet.addHandler(logging.NullHandler())
        self._consumer = Consumer(
            {
                "bootstrap.servers": bootstrap,
                "group.id": group,
                "auto.offset.reset": "earliest",
                "enable.auto.commit": False,
                "session.timeout.ms": int(SESSION_TIMEOUT_S * 1000),
                "heartbeat.interval.ms": int(HEARTBEAT_S * 1000),
                "reconnect.backoff.max.ms": 200,
                "logger": quiet,
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


MEMBERS: dict[str, Callable[[str, str, str], Member]] = {
    "confluent-kafka": ConfluentMember,
    "kafka-python": KafkaPythonMember,
    "aiokafka": AiokafkaMember,
}


class MemberProcess:
    """A member in a process of its own. Raises RuntimeError with what the client raised there."""

    def __init__(self, client: str, bootstrap: str, topic: str, group: str) -> None:
        command = [sys.executable, "-m", "compat.members", client, bootstrap, topic, group]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=Path(__file__).parents[1],
            text=True,
        )

    def poll(self) -> list[Got]:
        return [
            Got(partition, offset, bytes.fromhex(value)) for partition, offset, value in self._ask("poll")
        ]

    def assigned(self) -> set[int]:
        return set(self._ask("assigned"))

    def commit(self) -> None:
        self._ask("commit")

    def close(self) -> None:
        """Leave the group and end, unless it was killed."""
        if self._process.poll() is None:
            self._ask("close")
        self.kill()

    def kill(self) -> None:
        """End it as a crash does."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()

    def _ask(self, command: str) -> Any:
        stdin, stdout = self._process.stdin, self._process.stdout
        if stdin is None or stdout is None:
            raise RuntimeError("the member has no pipes")
        stdin.write(command + "\n")
        stdin.flush()
        line = stdout.readline()
        answer = json.loads(line) if line else {"error": f"the member ended: {self._process.wait()}"}
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return answer["result"]


def main() -> None:
    """Be a member, and do as the lines of stdin say."""
    parser = argparse.ArgumentParser(prog="python -m compat.members", description=__doc__)
    parser.add_argument("client", choices=MEMBERS)
    parser.add_argument("bootstrap")
    parser.add_argument("topic")
    parser.add_argument("group")
    options = parser.parse_args()
    member = MEMBERS[options.client](options.bootstrap, options.topic, options.group)
    commands: dict[str, Callable[[], object]] = {
        "poll": lambda: [(got.partition, got.offset, got.value.hex()) for got in member.poll()],
        "assigned": lambda: sorted(member.assigned()),
        "commit": member.commit,
        "close": member.close,
    }
    for line in sys.stdin:
        try:
            answer = {"result": commands[line.strip()]()}
        except Exception as error:
            answer = {"error": repr(error)}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
