"""An image, written as a snapshot and read again, is equal."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from kstream.broker.metadata.delta import MetadataDelta
from kstream.broker.metadata.image import MetadataImage, ResourceType
from kstream.broker.metadata.replay import replay
from kstream.broker.metadata.snapshot_records import snapshot_records
from kstream.broker.metadata.snapshots import read_snapshot, write_snapshot
from kstream.records.schemas import metadata as records
from kstream.wire.schema import Message

NAMES = st.text(min_size=1, max_size=8)
IDS = st.binary(min_size=16, max_size=16)
NODES = st.lists(st.integers(0, 5), max_size=3)
SMALL = st.integers(0, 3)
LEVELS = st.integers(0, 100)


def made(kind: type[Message], **fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Message]:
    return st.builds(kind, **fields)


BROKER = made(
    records.RegisterBrokerRecord,
    broker_id=SMALL,
    incarnation_id=IDS,
    broker_epoch=LEVELS,
    end_points=st.lists(
        st.builds(records.BrokerEndpoint, name=NAMES, host=NAMES, port=LEVELS, security_protocol=SMALL),
        max_size=2,
    ),
    features=st.lists(
        st.builds(
            records.BrokerFeature, name=NAMES, min_supported_version=SMALL, max_supported_version=SMALL
        ),
        max_size=2,
    ),
    rack=st.none() | NAMES,
    fenced=st.booleans(),
    in_controlled_shutdown=st.booleans(),
    log_dirs=st.lists(IDS, max_size=2),
    cordoned_log_dirs=st.none() | st.lists(IDS, max_size=2),
)
CONFIG = made(
    records.ConfigRecord,
    resource_type=st.sampled_from(list(ResourceType)[1:]),
    resource_name=st.sampled_from(["", "1", "a", "b"]),
    name=st.sampled_from(["k", "l"]),
    value=st.none() | st.text(max_size=5),
)
QUOTA = made(
    records.ClientQuotaRecord,
    entity=st.lists(
        st.builds(
            records.EntityData,
            entity_type=st.sampled_from(["user", "client-id"]),
            entity_name=st.none() | st.just("n"),
        ),
        min_size=1,
        max_size=2,
    ),
    key=st.sampled_from(["k", "l"]),
    value=st.floats(0.1, 1e12),
    remove=st.booleans(),
)
KEPT = st.one_of(
    made(records.FeatureLevelRecord, name=NAMES | st.just("metadata.version"), feature_level=SMALL),
    made(records.UserScramCredentialRecord, name=NAMES, mechanism=SMALL, salt=st.binary(), iterations=LEVELS),
    made(records.RemoveUserScramCredentialRecord, name=NAMES, mechanism=SMALL),
    made(records.AccessControlEntryRecord, id=IDS, resource_name=NAMES, principal=NAMES, host=NAMES),
    made(records.DelegationTokenRecord, owner=NAMES, renewers=st.lists(NAMES), token_id=NAMES),
    made(records.RegisterControllerRecord, controller_id=SMALL, incarnation_id=IDS),
)
PARTITION = st.fixed_dictionaries(
    {
        "replicas": NODES,
        "isr": NODES,
        "removing_replicas": NODES,
        "adding_replicas": NODES,
        "leader": st.integers(-1, 5),
        "leader_recovery_state": st.integers(0, 1),
        "leader_epoch": LEVELS,
        "partition_epoch": LEVELS,
        "directories": st.lists(IDS, max_size=2),
        "eligible_leader_replicas": st.none() | NODES,
        "last_known_elr": st.none() | NODES,
    }
)
TOPICS = st.dictionaries(st.text("a.b_", min_size=1, max_size=3), st.lists(PARTITION, max_size=3), max_size=4)


@given(
    topics=TOPICS,
    others=st.lists(st.one_of(BROKER, CONFIG, QUOTA, KEPT), max_size=20),
    producer_id=st.integers(0, 1 << 40),
)
@settings(max_examples=150)
def test_an_image_comes_back(
    topics: dict[str, list[dict[str, Any]]], others: list[Message], producer_id: int
) -> None:
    image = MetadataImage()
    written: list[Message] = [*others, records.ProducerIdsRecord(next_producer_id=producer_id)]
    for number, (name, partitions) in enumerate(topics.items()):
        topic_id = number.to_bytes(16, "big")
        written.append(records.TopicRecord(name=name, topic_id=topic_id))
        for index, fields in enumerate(partitions):
            written.append(records.PartitionRecord(partition_id=index, topic_id=topic_id, **fields))
    for record in written:
        replay(image, record, MetadataDelta())
    image.offset = len(written) - 1
    with tempfile.TemporaryDirectory() as folder:
        file = write_snapshot(
            Path(folder),
            snapshot_records(image),
            end_offset=image.offset + 1,
            epoch=3,
            last_timestamp_ms=17,
            now_ms=18,
        )
        found = read_snapshot(file.path)
    assert found.last_timestamp_ms == 17
    again = MetadataImage()
    for record in found.records:
        replay(again, record, MetadataDelta())
    again.offset = file.end_offset - 1
    assert again == image
    assert image.copy() == image


def test_everything_an_image_holds_is_asked_for_above() -> None:
    """A field that is new here must be in `snapshot_records`, or a snapshot loses it."""
    assert set(MetadataImage.__slots__) == {
        *("brokers", "client_quotas", "configs", "features", "kept", "next_producer_id"),
        *("normalized_names", "offset", "topics_by_id", "topics_by_name"),
    }
    told = records.RECORDS.keys() - {17, 5, 7, 8, 28}  # changes of what another record makes
    ends = {1, 9, 19, 22, 26, 29}
    of_the_log = {20, 21, 23, 24, 25}
    assert told - ends - of_the_log == {0, 2, 3, 4, 10, 11, 12, 14, 15, 18, 27}
