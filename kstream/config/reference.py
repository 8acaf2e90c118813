"""The reference page of configuration, made from the catalogue so that it cannot disagree with it."""

from __future__ import annotations

from collections.abc import Iterable

from kstream.config.catalogue import broker_keys, group_keys, topic_keys
from kstream.config.key import Key, Support
from kstream.config.queues import QUEUE_PREFIX
from kstream.config.topics import TOPIC_SYNONYMS

_HEAD = """\
# Configuration

<!-- Written by `python -m kstream.config > docs/configuration.md`; change the catalogue, not this page. -->

kstream reads Kafka's own keys. A setting comes from, strongest first:

1. the command line: `--set KEY=VALUE`, and flags such as `--listen`, which stand for settings;
2. the environment, by the rule of Kafka's official container image: `KAFKA_LOG_RETENTION_MS` is
   `log.retention.ms`, `__` in a name stands for `_`, `___` for `-`; `CLUSTER_ID` is the cluster id;
3. a `server.properties` file: `--config FILE`.

Keys marked *cluster-wide* or *per-broker* can also be changed while the server runs, as with
`kafka-configs --alter`; such a value wins over all of the above and survives a restart.

What somebody sets and kstream does not honour is never passed over in silence. A key it does not know is a
warning. A key of Kafka's that asks for something kstream does not do is a warning that says so; one that only
tunes machinery kstream does not have is mentioned at level info. Where ignoring a key would be dangerous, the
server does not start.

Four defaults differ from Kafka's: `listeners` (this machine alone), `log.dir`, `node.id` and `process.roles`.
"""

_SECTIONS = (
    (Support.UNAVAILABLE, "Not available", "A warning at start; the server runs without."),
    (Support.REFUSED, "Refused", "The server does not start, unless the value is the default."),
    (Support.NO_EFFECT, "Without effect", "Accepted; clients see the same behaviour with any value."),
)


def reference_page() -> str:
    """The page, as Markdown."""
    broker = broker_keys().values()
    parts = [_HEAD, "## Broker\n", _table(key for key in broker if key.support is Support.HONOURED)]
    parts += [
        "\n## Topics\n",
        "A topic's own value wins over the broker's key in the last column. A topic can also have the"
        f" `{QUEUE_PREFIX}` keys of groups\n(below): they hold for every share group that reads it and does"
        " not set them itself.\n",
        _topic_table(),
        "\n## Groups\n",
        "A group's own value, within the bounds that the broker's keys set, wins over the broker's key of"
        " the same name behind\n`group.`. Those that begin with `kstream.queue.` are explained in"
        " [queues beyond Kafka's](queue-features.md).\n",
        _table(key for key in group_keys().values() if key.support is Support.HONOURED),
    ]
    for support, title, lead in _SECTIONS:
        parts += [f"\n## {title}\n", f"{lead}\n"]
        parts.append(_by_reason("Broker", (key for key in broker if key.support is support)))
        topics = [key for key in topic_keys().values() if key.support is support]
        if topics:
            parts.append(_by_reason("Topics", topics))
    return "\n".join(parts).rstrip("\n") + "\n"


def _table(keys: Iterable[Key]) -> str:
    rows = ["| key | type | default | valid | changes | what it does |", "|---|---|---|---|---|---|"]
    for key in keys:
        if not key.is_internal:
            cells = (
                f"`{key.name}`",
                key.type.name.lower(),
                _code(key.default),
                _valid(key),
                key.scope,
                key.note,
            )
            rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows) + "\n"


def _topic_table() -> str:
    rows = ["| key | type | default | valid | what it does | broker's key |", "|---|---|---|---|---|---|"]
    for key in topic_keys().values():
        is_of_groups = key.name.startswith(QUEUE_PREFIX)
        if key.support is Support.HONOURED and not key.is_internal and not is_of_groups:
            synonyms = ", ".join(f"`{name}`" for name, _ in TOPIC_SYNONYMS.get(key.name, ()))
            cells = (
                f"`{key.name}`",
                key.type.name.lower(),
                _code(key.default),
                _valid(key),
                key.note,
                synonyms,
            )
            rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows) + "\n"


def _by_reason(title: str, keys: Iterable[Key]) -> str:
    reasons: dict[str, list[str]] = {}
    for key in keys:
        if not key.is_internal:
            reasons.setdefault(key.note, []).append(f"`{key.name}`")
    lines = [f"- {reason}: {', '.join(names)}" for reason, names in sorted(reasons.items())]
    return f"{title}:\n\n" + "\n".join(lines) + "\n"


def _code(text: str | None) -> str:
    return "null" if text is None else f"`{text}`" if text else "empty"


def _valid(key: Key) -> str:
    text = str(key.validator) if key.validator is not None else ""
    return f"`{text}`" if text else ""
