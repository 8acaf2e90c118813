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
    Key("add.partitions.to.txn.retry.backoff.max.ms", INT, "100", at_least(0), READ_ONLY, NO_EFFECT,
        "a decided transaction is completed before its end is answered"),
    Key("add.partitions.to.txn.retry.backoff.ms", INT, "20", at_least(1), READ_ONLY, NO_EFFECT,
        "a decided transaction is completed before its end is answered"),
    Key("producer.id.expiration.check.interval.ms", INT, "600000", at_least(1), READ_ONLY, NO_EFFECT,
        "silent producers are looked for as their log is written", is_internal=True),
    Key("producer.id.expiration.ms", INT, "86400000", at_least(1), CLUSTER_WIDE, HONOURED,
        "An idempotent producer silent for this long is forgotten."),
    Key(
        "transaction.abort.timed.out.transaction.cleanup.interval.ms", INT, "10000",
        at_least(1), READ_ONLY, NO_EFFECT,
        "each open transaction has a timer of its own"),
    Key("transaction.max.timeout.ms", INT, "900000", at_least(1), READ_ONLY, HONOURED,
        "The longest timeout that a producer may ask for its transactions."),
    Key("transaction.partition.verification.enable", BOOLEAN, "true", None, CLUSTER_WIDE, NO_EFFECT,
        "transactional batches are always verified"),
    Key(
        "transaction.remove.expired.transaction.cleanup.interval.ms", INT, "3600000",
        at_least(1), READ_ONLY, HONOURED,
        "How often unused transactional ids are looked for."),
    Key("transaction.state.log.load.buffer.size", INT, "5242880", at_least(1), READ_ONLY, NO_EFFECT,
        "a partition is loaded in pieces of 4 MiB"),
    Key("transaction.state.log.min.isr", INT, "2", at_least(1), READ_ONLY, HONOURED,
        "The `min.insync.replicas` of `__transaction_state` when it is created."),
    Key("transaction.state.log.num.partitions", INT, "50", at_least(1), READ_ONLY, HONOURED,
        "Partitions of `__transaction_state` when it is created."),
    Key("transaction.state.log.replication.factor", SHORT, "3", at_least(1), READ_ONLY, HONOURED,
        "Replicas of `__transaction_state`, at most one for each broker."),
    Key("transaction.state.log.segment.bytes", INT, "104857600", at_least(1), READ_ONLY, HONOURED,
        "Segment size of `__transaction_state`."),
    Key("transaction.two.phase.commit.enable", BOOLEAN, "false", None, READ_ONLY, UNAVAILABLE,
        "two-phase commit (KIP-939) is not implemented"),
    Key("transactional.id.expiration.ms", INT, "604800000", at_least(1), READ_ONLY, HONOURED,
        "A transactional id that is unused for this long is forgotten."),
)
