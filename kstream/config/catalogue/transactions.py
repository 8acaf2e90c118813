"""Producer ids and transactions."""

from __future__ import annotations

from kstream.config.catalogue.words import (
    BOOLEAN,
    CLUSTER_WIDE,
    HONOURED,
    INT,
    NO_EFFECT,
    READ_ONLY,
    SHORT,
    UNAVAILABLE,
    at_least,
)
from kstream.config.key import Key

# fmt: off
KEYS: tuple[Key, ...] = (
    Key("add.partitions.to.txn.retry.backoff.max.ms", INT, "100", at_least(0), READ_ONLY, UNAVAILABLE,
        "transactions are not coordinated"),
    Key("add.partitions.to.txn.retry.backoff.ms", INT, "20", at_least(1), READ_ONLY, UNAVAILABLE,
        "transactions are not coordinated"),
    Key("producer.id.expiration.check.interval.ms", INT, "600000", at_least(1), READ_ONLY, NO_EFFECT,
        "silent producers are looked for as their log is written", is_internal=True),
    Key("producer.id.expiration.ms", INT, "86400000", at_least(1), CLUSTER_WIDE, HONOURED,
        "An idempotent producer silent for this long is forgotten."),
    Key(
        "transaction.abort.timed.out.transaction.cleanup.interval.ms", INT, "10000",
        at_least(1), READ_ONLY, UNAVAILABLE,
        "transactions are not coordinated"),
    Key("transaction.max.timeout.ms", INT, "900000", at_least(1), READ_ONLY, UNAVAILABLE,
        "transactions are not coordinated"),
    Key("transaction.partition.verification.enable", BOOLEAN, "true", None, CLUSTER_WIDE, UNAVAILABLE,
        "transactions are not coordinated"),
    Key(
        "transaction.remove.expired.transaction.cleanup.interval.ms", INT, "3600000",
        at_least(1), READ_ONLY, UNAVAILABLE,
        "transactions are not coordinated"),
    Key("transaction.state.log.load.buffer.size", INT, "5242880", at_least(1), READ_ONLY, UNAVAILABLE,
        "transactions are not coordinated"),
    Key("transaction.state.log.min.isr", INT, "2", at_least(1), READ_ONLY, UNAVAILABLE,
        "transactions are not coordinated"),
    Key("transaction.state.log.num.partitions", INT, "50", at_least(1), READ_ONLY, UNAVAILABLE,
        "transactions are not coordinated"),
    Key("transaction.state.log.replication.factor", SHORT, "3", at_least(1), READ_ONLY, UNAVAILABLE,
        "transactions are not coordinated"),
    Key("transaction.state.log.segment.bytes", INT, "104857600", at_least(1), READ_ONLY, UNAVAILABLE,
        "transactions are not coordinated"),
    Key("transaction.two.phase.commit.enable", BOOLEAN, "false", None, READ_ONLY, UNAVAILABLE,
        "transactions are not coordinated"),
    Key("transactional.id.expiration.ms", INT, "604800000", at_least(1), READ_ONLY, UNAVAILABLE,
        "transactions are not coordinated"),
)
