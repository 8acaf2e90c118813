"""UpdateFeatures: levels go up and down within what is supported."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from kstream.errors import ErrorCode
from kstream.wire.messages.update_features import (
    FeatureUpdateKey,
    UpdateFeaturesRequest,
    UpdateFeaturesResponse,
)
from tests.api.conftest import Asker

UPGRADE, SAFE, UNSAFE = 1, 2, 3
INVALID = ErrorCode.INVALID_UPDATE_VERSION


def _update(
    asker: Asker, *updates: tuple[str, int, int], version: int = 2, validate_only: bool = False
) -> int:
    wanted = [
        FeatureUpdateKey(feature=name, max_version_level=level, upgrade_type=kind)
        for name, level, kind in updates
    ]
    request = UpdateFeaturesRequest(feature_updates=wanted, validate_only=validate_only)
    answer = asker.ask(request, version, UpdateFeaturesResponse)
    if version < 2 and not answer.error_code:
        assert [(each.feature, each.error_code) for each in answer.results] == [
            (name, 0) for name, _, _ in updates
        ]
    assert bool(answer.error_message) == bool(answer.error_code)
    return answer.error_code


def _level(asker: Asker, name: str = "share.version") -> int:
    return asker.broker.metadata.image.features.get(name, 0)


def test_down_and_up_and_over_a_restart(start: Callable[..., Asker]) -> None:
    asker = start()
    assert _update(asker, ("share.version", 1, UPGRADE)) == INVALID
    assert _update(asker, ("share.version", 1, SAFE), validate_only=True) == 0
    assert _level(asker) == 2
    assert _update(asker, ("share.version", 1, SAFE)) == 0
    assert _level(asker) == 1
    assert _update(asker, ("share.version", 2, SAFE)) == INVALID
    assert _update(asker, ("share.version", 0, UNSAFE), version=1) == 0
    assert _level(start()) == 0
    asker = start()
    assert _update(asker, ("share.version", 2, UPGRADE)) == 0
    assert _level(asker) == 2


@pytest.mark.parametrize(
    "update",
    [
        ("group.version", 2, UPGRADE),
        ("group.version", -1, SAFE),
        ("metadata.version", 34, UPGRADE),
        ("metadata.version", 32, SAFE),
        ("metadata.version", 32, UNSAFE),
        ("metadata.version", 0, SAFE),
        ("kraft.version", 1, UPGRADE),
        ("no.such.feature", 1, UPGRADE),
        ("no.such.feature", 0, UPGRADE),
        ("group.version", 1, 0),
        ("group.version", 1, 4),
    ],
)
def test_levels_and_ways_that_are_not_allowed(asker: Asker, update: tuple[str, int, int]) -> None:
    before = dict(asker.broker.metadata.image.features)
    assert _update(asker, ("share.version", 1, SAFE), update) == INVALID
    assert asker.broker.metadata.image.features == before


def test_version_0_only_upgrades(asker: Asker) -> None:
    down = FeatureUpdateKey(feature="share.version", max_version_level=1, allow_downgrade=True)
    request = UpdateFeaturesRequest(feature_updates=[down])
    answer = asker.ask(request, 0, UpdateFeaturesResponse)
    assert (answer.error_code, answer.results) == (INVALID, [])
    same = FeatureUpdateKey(feature="share.version", max_version_level=2)
    answer = asker.ask(UpdateFeaturesRequest(feature_updates=[same]), 0, UpdateFeaturesResponse)
    assert [(each.feature, each.error_code) for each in answer.results] == [("share.version", 0)]
