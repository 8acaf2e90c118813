"""Queues: what a share group can be beyond Kafka's, set for the group, or for a topic and every group that
reads it. kstream's own; see docs/queue-features.md.
"""

from __future__ import annotations

from kstream.config.catalogue.words import (
    BOOLEAN,
    CLUSTER_WIDE,
    DOUBLE,
    HONOURED,
    INT,
    LONG,
    STRING,
    at_least,
    between,
)
from kstream.config.key import Key
from kstream.config.validators import CelExpression, OneOf

# fmt: off
KEYS: tuple[Key, ...] = (
    Key("kstream.queue.backoff.jitter", DOUBLE, "0.0", between(0, 1), CLUSTER_WIDE, HONOURED,
        "The share of the backoff that is left to chance, so that not all comes back at once."),
    Key("kstream.queue.backoff.max.ms", LONG, "60000", at_least(0), CLUSTER_WIDE, HONOURED,
        "What the backoff grows to at most."),
    Key("kstream.queue.backoff.ms", LONG, "0", at_least(0), CLUSTER_WIDE, HONOURED,
        "How long a record that was released, or whose lock expired, is held back."),
    Key("kstream.queue.backoff.multiplier", DOUBLE, "1.0", at_least(1), CLUSTER_WIDE, HONOURED,
        "What the backoff grows by with each further delivery; 1 keeps it as it is."),
    Key("kstream.queue.deduplication.header", STRING, "", None, CLUSTER_WIDE, HONOURED,
        "The header whose value tells records apart; without one, a hash of key and value does."),
    Key("kstream.queue.deduplication.window.ms", LONG, "0", at_least(0), CLUSTER_WIDE, HONOURED,
        "How far apart in time two like records are duplicates, of which the first is delivered."),
    Key("kstream.queue.enable", BOOLEAN, "false", None, CLUSTER_WIDE, HONOURED,
        "Whether headers such as kstream-delay-ms count; without it, any other of these keys implies it."),
    Key("kstream.queue.filter", STRING, "", CelExpression(), CLUSTER_WIDE, HONOURED,
        "Which records are for the group: an expression of CEL over key, headers and timestamp_ms."),
    Key("kstream.queue.lookahead.records", INT, "10000", between(1, 1_000_000), CLUSTER_WIDE, HONOURED,
        "How many deliverable records are known in advance: a higher priority is found that far."),
    Key("kstream.queue.order", STRING, "none", OneOf("none", "key"), CLUSTER_WIDE, HONOURED,
        "With key, one record of a key is out at a time, and none overtakes another."),
    Key("kstream.queue.priority.aging.ms", LONG, "60000", at_least(0), CLUSTER_WIDE, HONOURED,
        "After how long a waiting record counts as one of the next higher priority; 0 for never."),
    Key(
        "kstream.queue.subscription", STRING, "shared",
        OneOf("shared", "failover", "exclusive"), CLUSTER_WIDE, HONOURED,
        "With failover, one member has a partition until it goes; with exclusive, the group has one member."),
    Key("kstream.queue.tracked.records.max", INT, "1000000", between(1, 10_000_000), CLUSTER_WIDE, HONOURED,
        "How many records of a share partition are known at most, those that wait among them."),
    Key("kstream.queue.ttl.dead.letter.enable", BOOLEAN, "false", None, CLUSTER_WIDE, HONOURED,
        "Whether records that expire become dead letters, if the group has any."),
    Key("kstream.queue.ttl.ms", LONG, "0", at_least(0), CLUSTER_WIDE, HONOURED,
        "How long a record is of use from its timestamp on; 0 for ever. Its own kstream-ttl-ms wins."),
)
