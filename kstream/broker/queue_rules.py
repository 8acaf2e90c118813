"""`kstream.queue.*` as the rules of queues."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from kstream.config.catalogue import group_keys
from kstream.config.queues import QUEUE_PREFIX, queue_settings
from kstream.records.record import Record
from kstream.shares.queue.rules import Filter, QueueRules

_RULES_KEPT_MAX = 10_000


def queue_rules(of_topic: Mapping[str, str], of_group: Mapping[str, str]) -> QueueRules | None:
    """The rules of a group in a topic; None if nothing beyond Kafka's is asked for.

    Equal settings give the same object, so that a queue stays as it is when something else is changed.
    """
    settings = queue_settings(of_topic, of_group)
    return None if settings is None else _rules(tuple(sorted(settings.items())))


@lru_cache(_RULES_KEPT_MAX)
def _rules(settings: tuple[tuple[str, str], ...]) -> QueueRules:
    own = dict(settings)

    def value(name: str) -> Any:
        key = group_keys()[f"{QUEUE_PREFIX}{name}"]
        return key.parse(own.get(key.name, key.default))

    expression = value("filter")
    return QueueRules(
        backoff_ms=value("backoff.ms"),
        backoff_multiplier=value("backoff.multiplier"),
        backoff_ms_max=value("backoff.max.ms"),
        backoff_jitter=value("backoff.jitter"),
        ttl_ms=value("ttl.ms"),
        has_dead_letters_on_expiry=value("ttl.dead.letter.enable"),
        is_ordered_by_key=value("order") == "key",
        has_one_owner=value("subscription") != "shared",
        aging_ms=value("priority.aging.ms"),
        deduplication_window_ms=value("deduplication.window.ms"),
        identity_header=value("deduplication.header"),
        filter=compiled(expression) if expression else None,
        lookahead=value("lookahead.records"),
        tracked_max=value("tracked.records.max"),
    )


def compiled(expression: str) -> Filter:
    """A filter from an expression of CEL over `key`, `headers` and `timestamp_ms`.

    Of headers with one name the last counts. What is not UTF-8 has replacement characters. A record with
    which the expression fails, for want of a header for example, is not for the group.
    """
    import cel  # the extra `queue`; whoever set the filter was told if it is missing

    program = cel.compile(expression)

    def passes(record: Record) -> bool:
        try:
            return (
                program.execute(
                    {
                        "key": None if record.key is None else record.key.decode("utf-8", "replace"),
                        "headers": {
                            name: None if value is None else value.decode("utf-8", "replace")
                            for name, value in record.headers
                        },
                        "timestamp_ms": record.timestamp_ms,
                    }
                )
                is True
            )
        except Exception:  # whatever the engine raises: a division by zero is an ArithmeticError
            return False

    return passes
