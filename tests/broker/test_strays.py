"""A crash between a topic's deletion and its files' leaves directories that must not disturb a new topic."""

from __future__ import annotations

import shutil
from pathlib import Path

import trio

from kstream.broker.broker import Broker
from kstream.broker.metadata.create_topics import NewTopic, create_topics
from kstream.broker.metadata.delete_topics import TopicKey, delete_topics
from kstream.clock import ManualClock
from kstream.config.broker import BrokerConfig


def start(path: Path) -> Broker:
    return Broker.open(path, BrokerConfig({"node.id": "1"}), ManualClock())


async def create(broker: Broker) -> None:
    await broker.metadata.update(lambda image: create_topics(image, broker.config, [NewTopic("t", 2)]))
    await broker.partitions.get("t", 0)
    await broker.partitions.get("t", 1)


async def delete(broker: Broker) -> None:
    await broker.metadata.update(lambda image: delete_topics(image, [TopicKey("t")]))


def test_a_new_topic_of_the_name_opens(tmp_path: Path) -> None:
    path = tmp_path / "data"
    broker = start(path)
    trio.run(create, broker)
    shutil.copytree(path / "t-0", tmp_path / "kept")
    trio.run(delete, broker)
    broker.close()
    # As a kill leaves it: deleted in the metadata log, not yet on the disk.
    shutil.copytree(tmp_path / "kept", path / "t-0")
    (path / ".kafka_cleanshutdown").unlink()
    broker = start(path)
    trio.run(create, broker)
    broker.close()
    strays = [entry for entry in path.iterdir() if entry.name.endswith("-stray")]
    assert [entry.name.split(".")[0] for entry in strays] == ["t-0"]
    assert (strays[0] / "partition.metadata").exists()


def test_a_recreated_topic_does_not_get_the_old_files(tmp_path: Path) -> None:
    path = tmp_path / "data"
    broker = start(path)
    trio.run(create, broker)
    shutil.copytree(path / "t-1", tmp_path / "kept")
    trio.run(delete, broker)
    trio.run(create, broker)
    broker.close()
    shutil.rmtree(path / "t-1")
    shutil.copytree(tmp_path / "kept", path / "t-1")
    (path / ".kafka_cleanshutdown").unlink()
    broker = start(path)
    topic_id = broker.metadata.image.topics_by_name["t"].topic_id
    assert trio.run(broker.partitions.get, "t", 1).log.topic_id == topic_id
    assert trio.run(broker.partitions.get, "t", 0).log.topic_id == topic_id
    broker.close()


def test_what_the_metadata_knows_stays(tmp_path: Path) -> None:
    path = tmp_path / "data"
    broker = start(path)
    trio.run(create, broker)
    broker.close()
    (path / ".kafka_cleanshutdown").unlink()
    before = sorted(entry.name for entry in path.iterdir() if entry.is_dir())
    start(path).close()
    assert sorted(entry.name for entry in path.iterdir() if entry.is_dir()) == before
    assert {"t-0", "t-1", "__cluster_metadata-0"} <= set(before)
