"""The bytes that kafka-python writes for the same values, for every API and version that both have."""

from __future__ import annotations

from random import Random

import pytest

from kstream.wire.codec import decode, encode
from kstream.wire.schema import Message
from tests.wire import kafka_python
from tests.wire.catalogue import API_MESSAGES, versions_of
from tests.wire.filling import filled

SHARED = [cls for cls in API_MESSAGES if kafka_python.message_class(cls.__name__) is not None]


@pytest.mark.parametrize("cls", SHARED, ids=lambda cls: cls.__name__)
def test_bytes(cls: type[Message]) -> None:
    theirs = kafka_python.message_class(cls.__name__)
    random = Random(cls.__name__)
    for version in versions_of(cls):
        if version > theirs.max_version:
            continue
        for _ in range(3):
            message = filled(cls, version, random)
            raw = encode(message, version)
            assert kafka_python.build(theirs, message, version).encode(version=version) == raw
            assert decode(cls, raw, version) == message


def test_how_much_is_shared() -> None:
    assert len(SHARED) >= 98
