"""What is in force for share groups follows every change of what it comes from."""

from __future__ import annotations

from pathlib import Path

from kstream.broker.metadata.alter_configs import KeyChange, Operation, ResourceChange, alter_configs
from kstream.broker.metadata.features import SHARE_VERSION
from kstream.broker.metadata.image import ResourceType
from kstream.broker.metadata.update_features import FeatureUpdate, UpgradeType, update_features
from tests.api.data_plane import opened, run


def test_it_follows_the_group_the_topic_and_the_features(tmp_path: Path) -> None:
    async def test() -> None:
        async with opened(tmp_path, "t") as broker:
            settings = broker.shares.settings

            async def alter(kind: ResourceType, name: str, key: str, value: str) -> None:
                change = ResourceChange(kind, name, [KeyChange(key, Operation.SET, value)])
                (altered,) = await broker.metadata.update(
                    lambda image: alter_configs(image, broker.config, [change])
                )
                assert altered.error is None

            assert not settings.limits_of("g").has_dead_letters
            await alter(ResourceType.GROUP, "g", "errors.deadletterqueue.topic.name", "dlq.t")
            assert settings.limits_of("g").has_dead_letters
            lower = FeatureUpdate(SHARE_VERSION, 1, UpgradeType.SAFE_DOWNGRADE)
            await broker.metadata.update(lambda image: update_features(image, [lower]))
            assert not settings.limits_of("g").has_dead_letters

            assert settings.rules_of("g", "t") is None
            await alter(ResourceType.TOPIC, "t", "kstream.queue.ttl.ms", "5")
            rules = settings.rules_of("g", "t")
            assert rules is not None
            assert rules.ttl_ms == 5
            await alter(ResourceType.TOPIC, "t", "retention.ms", "100000")
            assert settings.rules_of("g", "t") is rules
            await alter(ResourceType.GROUP, "g", "kstream.queue.ttl.ms", "6")
            assert settings.rules_of("g", "t") == rules._replace(ttl_ms=6)
            assert settings.rules_of("other", "t") is rules

    run(test)
