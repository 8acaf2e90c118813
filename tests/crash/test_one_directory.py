"""One data directory, either binary: Apache Kafka and kstream open it in turn, and tell the same of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from compat.kafka_jars import KafkaUnavailable
from compat.one_directory.turns import ORDERS, take_turns

pytestmark = [pytest.mark.java, pytest.mark.slow]


@pytest.mark.parametrize("order", ORDERS)
def test_there_and_back(tmp_path: Path, order: str) -> None:
    try:
        take_turns(tmp_path, ORDERS[order])
    except KafkaUnavailable as reason:
        pytest.skip(str(reason))
