"""What is in force for share groups, from the cluster's metadata, kept until that changes."""

from __future__ import annotations

from collections.abc import Mapping

from kstream.broker.metadata.delta import MetadataDelta
from kstream.broker.metadata.features import SHARE_VERSION
from kstream.broker.metadata.image import ResourceType
from kstream.broker.metadata.store import MetadataStore
from kstream.broker.queue_rules import queue_rules
from kstream.config.broker import BrokerConfig
from kstream.config.share_groups import ShareConfig, share_config
from kstream.shares.limits import ShareLimits
from kstream.shares.queue.rules import QueueRules

_KEPT_MAX = 100_000
_FIRST_VERSION_WITH_DEAD_LETTERS = 2


class ShareSettings:
    """By group; how queues behave also by topic."""

    def __init__(self, config: BrokerConfig, metadata: MetadataStore) -> None:
        self._config = config
        self._metadata = metadata
        self._configs: dict[str, tuple[ShareConfig, ShareLimits]] = {}
        self._rules: dict[tuple[str, str], QueueRules | None] = {}
        metadata.on_change(self._on_metadata)
        config.on_change(lambda _: self._configs.clear())

    def config_of(self, group_id: str) -> ShareConfig:
        """What is in force for a group."""
        return self._configured(group_id)[0]

    def limits_of(self, group_id: str) -> ShareLimits:
        """The same, as windows need it."""
        return self._configured(group_id)[1]

    def rules_of(self, group_id: str, topic_name: str) -> QueueRules | None:
        """How a group's queue in a topic behaves; None for one that is not more than Kafka's are."""
        key = (group_id, topic_name)
        if key not in self._rules:
            if len(self._rules) >= _KEPT_MAX:
                self._rules.clear()
            of_topic = self._metadata.image.topic_configs(topic_name)
            self._rules[key] = queue_rules(of_topic, self._overrides(group_id))
        return self._rules[key]

    def _configured(self, group_id: str) -> tuple[ShareConfig, ShareLimits]:
        found = self._configs.get(group_id)
        if found is None:
            config = share_config(self._config, self._overrides(group_id))
            level = self._metadata.image.features.get(SHARE_VERSION, 0)
            limits = ShareLimits(
                delivery_count_max=config.delivery_count_limit,
                record_locks_max=config.record_locks_max,
                lock_duration_ms=config.record_lock_duration_ms,
                can_renew=config.can_renew,
                has_dead_letters=bool(config.dead_letter_topic) and level >= _FIRST_VERSION_WITH_DEAD_LETTERS,
            )
            if len(self._configs) >= _KEPT_MAX:
                self._configs.clear()
            found = self._configs[group_id] = (config, limits)
        return found

    def _overrides(self, group_id: str) -> Mapping[str, str]:
        return self._metadata.image.configs.get((ResourceType.GROUP, group_id), {})

    def _on_metadata(self, delta: MetadataDelta) -> None:
        if delta.features_changed:
            self._configs.clear()
        for resource_type, name in delta.configs_changed:
            if resource_type == ResourceType.GROUP:
                self._configs.pop(name, None)
        if delta.configs_changed:
            self._rules.clear()
