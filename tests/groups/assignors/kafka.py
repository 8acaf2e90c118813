"""Apache Kafka's own assignors, asked over a pipe.

`python -m tests.groups.assignors.kafka` records their answers anew.
"""

from __future__ import annotations

import json
import subprocess
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from compat.kafka_jars import java, kafka_jars
from kstream.groups.assignors import ASSIGNORS
from tests.groups.assignors.rounds import Question, answered, asked_of_kafka, rounds

RECORDED = Path(__file__).with_name("recorded.txt")
SEEDS = range(100)
ROUNDS = 8


class KafkaAssignors:
    """Ask it as one asks ours."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def ask(self, question: Question) -> dict[str, dict[str, list[int]]]:
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        stdin.write(json.dumps(asked_of_kafka(question)) + "\n")
        stdin.flush()
        answer = json.loads(stdout.readline())
        # Where nobody subscribes to anything, members have no targets at all.
        return answer or {member.member_id: {} for member in question.members}


@contextmanager
def kafka_assignors() -> Iterator[KafkaAssignors]:
    """Raises KafkaUnavailable."""
    source = Path(__file__).with_name("Assign.java")
    command = [java(), "-cp", f"{kafka_jars()}/*", str(source)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        yield KafkaAssignors(process)


def checksum(value: Any) -> str:
    return f"{zlib.crc32(json.dumps(value, sort_keys=True).encode()):08x}"


def main() -> None:
    lines = ["seed round question answer"]
    with kafka_assignors() as kafka:
        for seed, number, group in rounds(SEEDS, ROUNDS):
            question = group.question()
            answer = checksum(kafka.ask(question))
            lines.append(f"{seed} {number} {checksum(asked_of_kafka(question))} {answer}")
            targets = ASSIGNORS[question.assignor](question.members, question.topics)
            assert checksum(answered(targets)) == answer, f"seed {seed}, round {number}: answers differ"
            group.take(targets)
    RECORDED.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
