"""DescribeQuorum, UpdateFeatures and UnregisterBroker: what clients can ask of the controllers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from compat.oracle.run import Run, scenario
from kstream.wire.messages.api_versions import ApiVersionsRequest, ApiVersionsResponse
from kstream.wire.messages.describe_quorum import (
    DescribeQuorumRequest,
    DescribeQuorumRequestPartitionData,
    DescribeQuorumRequestTopicData,
    DescribeQuorumResponse,
)
from kstream.wire.messages.unregister_broker import UnregisterBrokerRequest
from kstream.wire.messages.update_features import FeatureUpdateKey, UpdateFeaturesRequest

_API_VERSIONS = ApiVersionsRequest(client_software_name="oracle", client_software_version="1")
METADATA = "__cluster_metadata"


def _ask(*topics: tuple[str, Sequence[int]]) -> DescribeQuorumRequest:
    return DescribeQuorumRequest(
        topics=[
            DescribeQuorumRequestTopicData(
                topic_name=name,
                partitions=[DescribeQuorumRequestPartitionData(partition_index=index) for index in indexes],
            )
            for name, indexes in topics
        ]
    )


def _trim(response: DescribeQuorumResponse) -> None:
    """Offsets of the metadata log, and times, as whether they are there."""
    for topic in response.topics:
        for partition in topic.partitions:
            partition.high_watermark = min(partition.high_watermark, 1)
            partition.leader_epoch = min(partition.leader_epoch, 1)
            for voter in (*partition.current_voters, *partition.observers):
                voter.log_end_offset = min(voter.log_end_offset, 1)


@scenario
def describe_quorum(run: Run) -> None:
    """The one voter; topics and partitions that have no quorum."""
    topic = run.topic("a").name
    for version in range(3):
        run.call("the quorum", _ask((METADATA, [0])), version, trim=_trim)
        run.call("nothing", _ask(), version, trim=_trim)
        run.call("no partitions", _ask((METADATA, [])), version, trim=_trim)
        run.call("partition 1", _ask((METADATA, [1])), version, trim=_trim)
        run.call("partition 0 twice", _ask((METADATA, [0, 0])), version, trim=_trim)
        run.call("another topic", _ask((topic, [0])), version, trim=_trim)
        run.call("unknown topic", _ask(("no-such-topic", [0])), version, trim=_trim)
        run.call("the quorum and another topic", _ask((METADATA, [0]), (topic, [0])), version, trim=_trim)
        run.call("the quorum twice", _ask((METADATA, [0]), (METADATA, [0])), version, trim=_trim)


def _update(*updates: tuple[str, int, int], **fields: Any) -> UpdateFeaturesRequest:
    """Each: feature, level, type of upgrade (1: upgrade, 2: safe downgrade, 3: unsafe downgrade)."""
    return UpdateFeaturesRequest(
        feature_updates=[
            FeatureUpdateKey(feature=name, max_version_level=level, upgrade_type=kind)
            for name, level, kind in updates
        ],
        **fields,
    )


@scenario
def update_features(run: Run) -> None:
    """Levels that are in force already, that do not exist, and ways that are not allowed; none is changed."""
    for version in range(3):
        only = {"validate_only": True} if version else {}
        run.call("nothing", _update(), version)
        same = [
            ("group.version", 1),
            ("transaction.version", 2),
            ("metadata.version", 33),
            ("share.version", 2),
        ]
        for name, level in same:
            run.call(f"{name} as it is", _update((name, level, 1)), version)
        for name, level in (
            ("group.version", 2),
            ("transaction.version", 99),
            ("metadata.version", 34),
            ("metadata.version", 6),
            ("share.version", -1),
            ("kraft.version", 2),
            ("no.such.feature", 1),
            ("", 1),
        ):
            run.call(f"{name} to {level}", _update((name, level, 1), **only), version)
        run.call("no such feature to 0", _update(("no.such.feature", 0, 1), **only), version)
        run.call("twice", _update(("group.version", 1, 1), ("group.version", 1, 1)), version)
        run.call("wrong beside right", _update(("group.version", 1, 1), ("no.such", 1, 1)), version)
        run.call("right beside wrong", _update(("no.such", 1, 1), ("group.version", 1, 1)), version)
        if version == 0:
            down = FeatureUpdateKey(feature="group.version", max_version_level=0)
            run.call("down, not allowed", UpdateFeaturesRequest(feature_updates=[down]), version)
            continue
        for kind in (1, 2, 3, 0, 4, -1):
            for name, level in (("group.version", 0), ("metadata.version", 25), ("group.version", 1)):
                run.call(f"{name} to {level} by {kind}", _update((name, level, kind), **only), version)
        run.call("kraft.version as it is", _update(("kraft.version", 0, 1), **only), version)
        run.call("kraft.version up", _update(("kraft.version", 1, 1), **only), version)


@scenario
def update_features_metadata_version(run: Run) -> None:
    """Which versions of the metadata can be gone back to, and what other features need of them."""
    for level in (7, 20, 31, 32, 33, 0):
        for kind in (2, 3):
            request = _update(("metadata.version", level, kind), validate_only=True)
            run.call(f"to {level} by {kind}", request, 2)
    for name in ("group.version", "share.version", "streams.version", "transaction.version"):
        for level in (0, 1, 2):
            run.call(f"{name} to {level} by 2", _update((name, level, 2), validate_only=True), 2)
    run.call("replicas to 0 by 2", _update(("eligible.leader.replicas.version", 0, 2), validate_only=True), 2)
    run.call("kraft.version down by 2", _update(("kraft.version", 0, 2), validate_only=True), 2)
    for timeout_ms in (0, -1):
        request = _update(("group.version", 1, 1), timeout_ms=timeout_ms)
        run.call(f"timeout {timeout_ms}", request, 2)


@scenario
def update_features_and_back(run: Run) -> None:
    """A level goes down, and up again."""

    def level_of(answer: ApiVersionsResponse) -> int:
        return next(
            (each.max_version_level for each in answer.finalized_features if each.name == "share.version"), 0
        )

    def change(note: str, level: int, kind: int, settled: int, version: int = 2) -> None:
        run.call(note, _update(("share.version", level, kind)), version)
        run.until(_API_VERSIONS, 4, lambda answer: level_of(answer) == settled)

    change("down without leave", 1, 1, 2)
    change("down", 1, 2, 1)
    change("up by a downgrade", 2, 2, 1)
    change("up by an unsafe downgrade", 2, 3, 1)
    change("off, unsafe", 0, 3, 0)
    change("off again", 0, 2, 0)
    change("up by two", 2, 1, 2)
    down = FeatureUpdateKey(feature="share.version", max_version_level=1, allow_downgrade=True)
    run.call("down, allowed", UpdateFeaturesRequest(feature_updates=[down]), 0)
    change("up", 2, 1, 2, version=1)
    run.call("down and up", _update(("share.version", 1, 2), ("share.version", 2, 1)), 1)
    change("in the end", 2, 1, 2)


@scenario
def unregister_broker(run: Run) -> None:
    """Brokers that were never registered."""
    for broker_id in (2, 1000, -1, 2**31 - 1):
        run.call(f"broker {broker_id}", UnregisterBrokerRequest(broker_id=broker_id), 0)
