"""Metrics, telemetry and quota windows."""

from __future__ import annotations

from kstream.config.catalogue.words import (
    ANY_LIST,
    CLUSTER_WIDE,
    HONOURED,
    INT,
    LIST,
    LONG,
    NO_EFFECT,
    READ_ONLY,
    STRING,
    UNAVAILABLE,
    at_least,
)
from kstream.config.key import Key

# fmt: off
KEYS: tuple[Key, ...] = (
    Key("alter.log.dirs.replication.quota.window.num", INT, "11", at_least(1), READ_ONLY, NO_EFFECT,
        "kstream is the only broker of its cluster"),
    Key("alter.log.dirs.replication.quota.window.size.seconds", INT, "1", at_least(1), READ_ONLY, NO_EFFECT,
        "kstream is the only broker of its cluster"),
    Key("kafka.metrics.polling.interval.secs", INT, "10", at_least(1), READ_ONLY, UNAVAILABLE,
        "there are no JMX metrics"),
    Key("kafka.metrics.reporters", LIST, "", ANY_LIST, READ_ONLY, UNAVAILABLE, "there are no JMX metrics"),
    Key(
        "metric.reporters", LIST, "org.apache.kafka.common.metrics.JmxReporter",
        ANY_LIST, CLUSTER_WIDE, UNAVAILABLE,
        "there are no JMX metrics"),
    Key("metrics.num.samples", INT, "2", at_least(1), READ_ONLY, UNAVAILABLE, "there are no JMX metrics"),
    Key("metrics.recording.level", STRING, "INFO", None, READ_ONLY, UNAVAILABLE, "there are no JMX metrics"),
    Key("metrics.sample.window.ms", LONG, "30000", at_least(1), READ_ONLY, UNAVAILABLE,
        "there are no JMX metrics"),
    Key("quota.window.num", INT, "11", at_least(1), READ_ONLY, HONOURED,
        "How many windows client quotas are measured over."),
    Key("quota.window.size.seconds", INT, "1", at_least(1), READ_ONLY, HONOURED,
        "How long each window of client quotas is."),
    Key("replication.quota.window.num", INT, "11", at_least(1), READ_ONLY, NO_EFFECT,
        "kstream is the only broker of its cluster"),
    Key("replication.quota.window.size.seconds", INT, "1", at_least(1), READ_ONLY, NO_EFFECT,
        "kstream is the only broker of its cluster"),
    Key("telemetry.max.bytes", INT, "1048576", at_least(1), READ_ONLY, HONOURED,
        "The largest push of a client's metrics, compressed and not."),
)
