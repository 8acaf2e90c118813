"""What a topic says of queues, and what a group says, brought together."""

from __future__ import annotations

import pytest

from kstream.config.queues import is_exclusive, queue_settings

ENABLE, ORDER, TTL = "kstream.queue.enable", "kstream.queue.order", "kstream.queue.ttl.ms"


@pytest.mark.parametrize(
    ("of_topic", "of_group", "in_force"),
    [
        ({}, {}, None),
        ({"retention.ms": "1"}, {"share.auto.offset.reset": "earliest"}, None),
        ({ORDER: "key"}, {}, {ORDER: "key"}),
        ({ORDER: "key", TTL: "1"}, {TTL: "2"}, {ORDER: "key", TTL: "2"}),
        ({}, {ENABLE: "true"}, {ENABLE: "true"}),
        ({ORDER: "key"}, {ENABLE: "False "}, None),
        ({ENABLE: "false", ORDER: "key"}, {}, None),
        ({ENABLE: "false", ORDER: "key"}, {TTL: "2"}, {ENABLE: "false", ORDER: "key", TTL: "2"}),
    ],
)
def test_a_group_wins_over_the_topic(
    of_topic: dict[str, str], of_group: dict[str, str], in_force: dict[str, str] | None
) -> None:
    assert queue_settings(of_topic, of_group) == in_force


def test_a_topic_can_be_exclusive_and_a_group_not() -> None:
    exclusive = {"kstream.queue.subscription": "exclusive"}
    assert is_exclusive(exclusive, {})
    assert not is_exclusive(exclusive, {"kstream.queue.subscription": "shared"})
    assert not is_exclusive(exclusive, {ENABLE: "false"})
    assert not is_exclusive({}, {})
