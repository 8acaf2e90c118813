"""Our assignors give the answers of Apache Kafka 4.4.0's, round after round."""

from __future__ import annotations

import pytest

from compat.kafka_jars import KafkaUnavailable
from kstream.groups.assignors import ASSIGNORS
from tests.groups.assignors.kafka import RECORDED, ROUNDS, SEEDS, checksum, kafka_assignors
from tests.groups.assignors.rounds import answered, asked_of_kafka, rounds


def test_answers_are_those_recorded() -> None:
    recorded = iter(RECORDED.read_text().splitlines()[1:])
    for seed, number, group in rounds(SEEDS, ROUNDS):
        question = group.question()
        targets = ASSIGNORS[question.assignor](question.members, question.topics)
        expected = next(recorded).split()
        asked = checksum(asked_of_kafka(question))
        assert [str(seed), str(number), asked] == expected[:3], "the questions have changed: record anew"
        assert checksum(answered(targets)) == expected[3], f"seed {seed}, round {number}, {question.assignor}"
        group.take(targets)


@pytest.mark.java
def test_kafka_answers_the_same() -> None:
    try:
        with kafka_assignors() as kafka:
            for _, _, group in rounds(range(1000, 1200), ROUNDS):
                question = group.question()
                targets = ASSIGNORS[question.assignor](question.members, question.topics)
                assert answered(targets) == kafka.ask(question)
                group.take(targets)
    except KafkaUnavailable as reason:
        pytest.skip(str(reason))
