"""Which clients a client metrics subscription is about."""

from __future__ import annotations

import pytest

from kstream.broker.client_matching import matches, parse_patterns
from kstream.errors import ApiError, ErrorCode

CLIENT = {"client_id": "orders-7", "client_software_name": "librdkafka", "client_source_port": "40123"}


@pytest.mark.parametrize(
    ("match", "is_meant"),
    [
        ("", True),
        ("client_id=orders-.*", True),
        ("client_id=orders", False),
        ("client_id=.*, client_software_name=librdkafka", True),
        ("client_id=.*,client_software_name=apache-kafka-java", False),
        ("client_source_port=4....", True),
        ("client_software_version=1", False),
        ("client_id=a,client_id=orders-7", True),
    ],
)
def test_all_patterns_match_the_whole_value(match: str, is_meant: bool) -> None:
    assert matches(parse_patterns(match), CLIENT) is is_meant


@pytest.mark.parametrize("match", ["client_id", "no_such_label=x", "client_id=(", "=x", "client_id=a,,b"])
def test_what_is_no_pattern(match: str) -> None:
    with pytest.raises(ApiError) as caught:
        parse_patterns(match)
    assert caught.value.code == ErrorCode.INVALID_CONFIG
