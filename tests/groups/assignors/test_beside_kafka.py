"""Our assignors give the answers of Apache Kafka 4.4.0's, round after round."""

from __future__ import annotations

import pytest

from compat.kafka_jars import KafkaUnavailable
from tests.groups.assignors.kafka import RECORDED, ROUNDS, SEEDS, checksum, kafka_assignors
from tests.groups.assignors.rounds import answered, asked_of_kafka, rounds


@pytest.mark.parametrize("is_share", [False, True])
def test_answers_are_those_recorded(is_share: bool) -> None:
    recorded = iter(RECORDED[is_share].read_text().splitlines()[1:])
    for seed, number, group in rounds(SEEDS, ROUNDS, is_share=is_share):
        question = group.question()
        targets = question.answer()
        expected = next(recorded).split()
        asked = checksum(asked_of_kafka(question))
        assert [str(seed), str(number), asked] == expected[:3], "the questions have changed: record anew"
        assert checksum(answered(targets)) == expected[3], f"seed {seed}, round {number}, {question.assignor}"
        group.take(targets)


@pytest.mark.java
@pytest.mark.parametrize("is_share", [False, True])
def test_kafka_answers_the_same(is_share: bool) -> None:
    try:
        with kafka_assignors() as kafka:
            for _, _, group in rounds(range(1000, 1200), ROUNDS, is_share=is_share):
                question = group.question()
                targets = question.answer()
                assert answered(targets) == kafka.ask(question)
                group.take(targets)
    except KafkaUnavailable as reason:
        pytest.skip(str(reason))
