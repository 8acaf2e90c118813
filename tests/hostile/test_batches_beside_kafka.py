"""The same spoiled batches to kstream and to Apache Kafka: each gets the same error code from both."""

from __future__ import annotations

import random

import pytest

from compat.kafka_server import KafkaServer
from compat.kstream_server import KstreamServer
from kstream.testing.client import WireClient
from tests.hostile.mutations import random_batch, spoiled_batch
from tests.requests import create_topic, produce

BATCHES = 3000


@pytest.mark.java
@pytest.mark.parametrize("seed", [11, 12])
def test_same_codes(kstream: KstreamServer, seed: int) -> None:
    topic = f"beside-{seed}"
    with (
        KafkaServer(heap="512m") as kafka,
        WireClient(*kafka.address) as theirs,
        WireClient(*kstream.address) as ours,
    ):
        create_topic(theirs, topic)
        create_topic(ours, topic)
        rng = random.Random(seed)
        different = []
        for n in range(BATCHES):
            batch = spoiled_batch(rng, random_batch(rng))
            expected = produce(theirs, topic, batch)
            answered = produce(ours, topic, batch)
            if (answered.error_code, answered.base_offset) != (expected.error_code, expected.base_offset):
                different.append((n, expected.error_code, answered.error_code, batch.hex()))
                break  # from here on, the logs differ
        assert different == []
