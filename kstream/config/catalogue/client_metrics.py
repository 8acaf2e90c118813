"""Configuration of a client metrics subscription (KIP-714)."""

from __future__ import annotations

from kstream.config.catalogue.words import ANY_LIST, CLUSTER_WIDE, INT, LIST, UNAVAILABLE
from kstream.config.key import Key

# fmt: off
KEYS: tuple[Key, ...] = (
    Key("interval.ms", INT, "300000", None, CLUSTER_WIDE, UNAVAILABLE, "clients' metrics are not collected"),
    Key("match", LIST, "", ANY_LIST, CLUSTER_WIDE, UNAVAILABLE, "clients' metrics are not collected"),
    Key("metrics", LIST, "", ANY_LIST, CLUSTER_WIDE, UNAVAILABLE, "clients' metrics are not collected"),
)
