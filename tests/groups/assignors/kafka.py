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
from tests.groups.assignors.rounds import Question, answered, asked_of_kafka, rounds

RECORDED = {
    False: Path(__file__).with_name("recorded.txt"),
    True: Path(__file__).with_name("recorded_simple.txt"),
}
"""By whether the assignor is that of share groups."""
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
    with kafka_assignors() as kafka:
        for is_share, path in RECORDED.items():
            lines = ["seed round question answer"]
            for seed, number, group in rounds(SEEDS, ROUNDS, is_share=is_share):
                question = group.question()
                answer = checksum(kafka.ask(question))
                lines.append(f"{seed} {number} {checksum(asked_of_kafka(question))} {answer}")
                targets = question.answer()
                assert checksum(answered(targets)) == answer, f"seed {seed}, round {number}: answers differ"
                group.take(targets)
            path.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
