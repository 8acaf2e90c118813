"""Configuration of a client metrics subscription (KIP-714)."""

from __future__ import annotations

from kstream.config.catalogue.words import ANY_LIST, CLUSTER_WIDE, HONOURED, INT, LIST
from kstream.config.key import Key

# fmt: off
KEYS: tuple[Key, ...] = (
    Key("interval.ms", INT, "300000", None, CLUSTER_WIDE, HONOURED,
        "How often clients push their metrics."),
    Key("match", LIST, "", ANY_LIST, CLUSTER_WIDE, HONOURED,
        "Which clients are meant: label=pattern, all of which must match."),
    Key("metrics", LIST, "", ANY_LIST, CLUSTER_WIDE, HONOURED,
        "The metrics to push, by the beginnings of their names; * for all."),
)
