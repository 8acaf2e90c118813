"""Values are parsed, checked and written out as Kafka does."""

from __future__ import annotations

import pytest

from kstream.config.catalogue import broker_keys, group_keys, topic_keys
from kstream.config.errors import ConfigError


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("segment.bytes", " 2000000 ", 2000000),
        ("segment.bytes", "+2000000", 2000000),
        ("retention.ms", "-1", -1),
        ("retention.bytes", "-7", -7),
        ("preallocate", "TRUE", True),
        ("compression.type", " gzip", "gzip"),
        ("cleanup.policy", "compact, delete", ["compact", "delete"]),
        ("cleanup.policy", "delete,delete", ["delete"]),
        ("cleanup.policy", "", []),
        ("min.cleanable.dirty.ratio", "1", 1.0),
        ("leader.replication.throttled.replicas", "*", ["*"]),
        ("leader.replication.throttled.replicas", "0:1,1:2", ["0:1", "1:2"]),
        ("max.message.bytes", "2147483647", 2147483647),
    ],
)
def test_valid(name: str, text: str, value: object) -> None:
    assert topic_keys()[name].parse(text) == value


@pytest.mark.parametrize(
    ("name", "text", "fault"),
    [
        ("segment.bytes", "100", "Value must be at least 1048576"),
        ("retention.ms", "-2", "Value must be at least -1"),
        ("retention.ms", "abc", "Not a number of type LONG"),
        ("retention.ms", "", "Not a number of type LONG"),
        ("retention.ms", "1_000", "Not a number of type LONG"),
        ("retention.ms", "1.5", "Not a number of type LONG"),
        ("retention.ms", "9223372036854775808", "Not a number of type LONG"),
        ("max.message.bytes", "2147483648", "Not a number of type INT"),
        ("cleanup.policy", "foo", "String must be one of: compact, delete"),
        ("cleanup.policy", "delete,,compact", "The list must not have an empty entry"),
        ("compression.type", "x", "String must be one of: uncompressed, zstd, lz4, snappy, gzip, producer"),
        ("min.cleanable.dirty.ratio", "1.5", "Value must be no more than 1"),
        ("min.cleanable.dirty.ratio", "nan", "Value must be a number"),
        ("compression.gzip.level", "0", "Value must be between 1 and 9 or equal to -1"),
        ("preallocate", "yes", "Expected value to be either true or false"),
        (
            "leader.replication.throttled.replicas",
            "a",
            "The list must be * or entries of the form partition:broker",
        ),
    ],
)
def test_invalid(name: str, text: str, fault: str) -> None:
    with pytest.raises(ConfigError) as caught:
        topic_keys()[name].parse(text)
    assert str(caught.value) == f"Invalid value {text} for configuration {name}: {fault}"


def test_a_secret_is_not_repeated_in_an_error() -> None:
    key = broker_keys()["ssl.key.password"]
    assert key.canonical(" as it is ") == " as it is "
    assert "hunter2" not in str(key._error("hunter2", "wrong"))


@pytest.mark.parametrize("text", ["latest", "earliest", "by_duration:PT1H", "by_duration:P1DT2H3M4.5S"])
def test_offset_reset(text: str) -> None:
    assert group_keys()["share.auto.offset.reset"].parse(text) == text


@pytest.mark.parametrize(
    "text", ["none", "EARLIEST", "by_duration:", "by_duration:P", "by_duration:PT", "by_duration:1h"]
)
def test_not_an_offset_reset(text: str) -> None:
    with pytest.raises(ConfigError, match=r"by_duration:PnDTnHnMn\.nS"):
        group_keys()["share.auto.offset.reset"].parse(text)


def test_words_without_case() -> None:
    assert broker_keys()["group.consumer.migration.policy"].parse("upgrade") == "upgrade"
    with pytest.raises(ConfigError, match="must be one of"):
        broker_keys()["group.consumer.migration.policy"].parse("sideways")
