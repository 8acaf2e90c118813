"""Every configuration key of Apache Kafka 4.4.0 and kstream's own, as data.

Each file is one theme; a row says name, type, default, valid values, who may change it while the broker runs,
what kstream does with it, and a line about that. Facts (names, types, defaults, ranges) were read from the
published jars. Nothing is imported before it is asked for: `broker_keys()` takes about two milliseconds,
once.

Five defaults are kstream's own, for a server that one types `kstream` to get: `listeners` is this machine
alone instead of every interface, `log.dir` is ./kstream-data instead of a folder that a reboot may empty,
`node.id` is 1 and `process.roles` broker,controller where Kafka wants to be told, and
`group.initial.rebalance.delay.ms` is 0, since three seconds are what people switch off first.
"""

from __future__ import annotations

from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from kstream.config.key import Key


@cache
def broker_keys() -> Mapping[str, Key]:
    """Keys of a broker, kstream's own (`kstream.`) among them, by name and in the order of names."""
    from kstream.config.catalogue import (
        cluster,
        groups,
        log,
        metrics,
        network,
        own,
        security,
        shares,
        streams,
        tiered,
        transactions,
    )

    themes = (cluster, groups, log, metrics, network, own, security, shares, streams, tiered, transactions)
    return _by_name(key for theme in themes for key in theme.KEYS)


@cache
def topic_keys() -> Mapping[str, Key]:
    """Keys of a topic, kstream's own (`kstream.queue.`) among them."""
    from kstream.config.catalogue import queue, topic

    return _by_name((*topic.KEYS, *queue.KEYS))


@cache
def group_keys() -> Mapping[str, Key]:
    """Keys of a group, with the same own ones."""
    from kstream.config.catalogue import group, queue

    return _by_name((*group.KEYS, *queue.KEYS))


@cache
def client_metrics_keys() -> Mapping[str, Key]:
    """Keys of a client metrics subscription."""
    from kstream.config.catalogue import client_metrics

    return _by_name(client_metrics.KEYS)


def _by_name(keys: Iterable[Key]) -> Mapping[str, Key]:
    return MappingProxyType({key.name: key for key in sorted(keys, key=lambda key: key.name)})
