"""Spoiled batches to kstream and to Apache Kafka: the same error code for each, with known exceptions."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from compat.kafka_server import KafkaServer
from compat.kstream_server import KstreamServer
from kstream.errors import ErrorCode
from kstream.testing.client import WireClient
from tests.hostile.mutations import random_batch, spoiled_batch
from tests.requests import create_topic, produce

BATCHES = 3000

# Kafka's code and ours, where `kstream.records.validation` says why they differ.
_DIFFERENCES = {
    (ErrorCode.UNKNOWN_SERVER_ERROR, ErrorCode.INVALID_RECORD),
    (ErrorCode.UNKNOWN_SERVER_ERROR, ErrorCode.UNSUPPORTED_COMPRESSION_TYPE),
    (ErrorCode.UNKNOWN_SERVER_ERROR, ErrorCode.MESSAGE_TOO_LARGE),
    (ErrorCode.UNKNOWN_SERVER_ERROR, ErrorCode.CORRUPT_MESSAGE),  # shorter than a header
    (ErrorCode.NONE, ErrorCode.INVALID_RECORD),
}


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
        equal, different = Counter[int](), []
        for n in range(BATCHES):
            batch = spoiled_batch(rng, random_batch(rng))
            expected = produce(theirs, topic, batch).error_code
            answered = produce(ours, topic, batch).error_code
            if answered == expected:
                equal[answered] += 1
            elif (expected, answered) not in _DIFFERENCES:
                different.append((n, expected, answered, batch.hex()))
        assert different == []
        assert len(equal) >= 5, f"the seed meets too little: {equal}"
