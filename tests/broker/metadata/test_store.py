"""The metadata log: what was committed is there after every kind of end, and nothing else is."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import trio

from kstream.broker.metadata.alter_configs import KeyChange, ResourceChange, alter_configs
from kstream.broker.metadata.create_topics import CreatedTopic, NewTopic, create_topics
from kstream.broker.metadata.delete_topics import TopicKey, delete_topics
from kstream.broker.metadata.delta import MetadataDelta
from kstream.broker.metadata.image import MetadataImage
from kstream.errors import ApiError, ErrorCode
from kstream.log.errors import LogStorageError
from kstream.log.partition import PartitionLog
from kstream.records.batch import iter_headers
from tests.broker.metadata.opening import opened

LOG = Path("__cluster_metadata-0/00000000000000000000.log")


def test_everything_is_there_again(tmp_path: Path) -> None:
    with opened(tmp_path) as first:
        first.create("t", retention_ms="5")
        first.create("u")
        first.update(lambda image: delete_topics(image, [TopicKey("u")]))
        assert first.allocate(1000) == 0
        before = first.image
    with opened(tmp_path) as second:
        assert second.image == before
        assert list(second.image.topics_by_name) == ["t"]


def test_producer_ids_are_never_given_again(tmp_path: Path) -> None:
    given = []
    for number in range(3):
        with opened(tmp_path / f"{number}") as found:
            given.append(found.allocate(1000))
            given.append(found.allocate(1000))
            # What a kill leaves: the files as they are, the lock gone.
            shutil.copytree(tmp_path / f"{number}", tmp_path / f"{number + 1}")
    assert given == [0, 1000, 2000, 3000, 4000, 5000]


def topic_ids(image: MetadataImage) -> dict[str, bytes]:
    return {name: topic.topic_id for name, topic in image.topics_by_name.items()}


def test_a_torn_commit_never_was(tmp_path: Path) -> None:
    """Cut the log at every byte: the image is that of the last commit that is whole."""
    images = []
    with opened(tmp_path / "whole") as found:
        images.append((found.store._log.size_bytes, topic_ids(found.image)))
        for name in ("a", "b"):
            found.create(name, retention_ms="5")
            images.append((found.store._log.size_bytes, topic_ids(found.image)))
        shutil.copytree(tmp_path / "whole", tmp_path / "torn")
    ends = [end for end, _ in images]
    content = (tmp_path / "torn" / LOG).read_bytes()
    pristine = tmp_path / "torn"
    for cut in range(ends[0], ends[-1] + 1):
        (pristine / LOG).write_bytes(content[:cut])
        whole = [topics for end, topics in images if end <= cut][-1]
        with opened(pristine) as again:
            assert topic_ids(again.image) == whole, cut
        shutil.rmtree(pristine)
        shutil.copytree(tmp_path / "whole", pristine)
        (pristine / ".kafka_cleanshutdown").unlink()


def test_each_commit_is_one_batch(tmp_path: Path) -> None:
    with opened(tmp_path) as found:
        found.create("t", retention_ms="5")
        log = found.store._log
        headers = list(iter_headers(log.read(0, 1 << 20, end_offset=log.end_offset).view()))
        # leader change; bootstrap; registration; topic with one setting and two partitions
        assert [(header.is_control, header.record_count) for header in headers] == [
            (True, 1),
            (False, 9),
            (False, 2),
            (False, 4),
        ]
        assert {header.partition_leader_epoch for header in headers} == {1}
        assert found.image.offset == log.end_offset - 1


def test_two_that_create_the_same_topic(tmp_path: Path) -> None:
    with opened(tmp_path) as found:
        results: list[CreatedTopic] = []

        async def create() -> None:
            created = await found.store.update(
                lambda image: create_topics(image, found.config, [NewTopic("t")])
            )
            results.extend(created)

        async def both() -> None:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(create)
                nursery.start_soon(create)

        trio.run(both)
        assert sorted(result.error.code if result.error else 0 for result in results) == [
            0,
            ErrorCode.TOPIC_ALREADY_EXISTS,
        ]


def test_a_cancelled_commit_is_whole_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flush = PartitionLog.flush
    with opened(tmp_path) as found:

        async def cancelled_while_flushing() -> None:
            with trio.CancelScope() as scope:

                def flush_slowly(log: PartitionLog) -> None:
                    trio.from_thread.run_sync(scope.cancel)
                    flush(log)

                monkeypatch.setattr(PartitionLog, "flush", flush_slowly)
                await found.store.update(lambda image: create_topics(image, found.config, [NewTopic("t")]))
                await trio.lowlevel.checkpoint()
            assert scope.cancelled_caught

        trio.run(cancelled_while_flushing)
        monkeypatch.undo()
        before = found.image
        assert "t" in before.topics_by_name
    with opened(tmp_path) as again:
        assert again.image == before


def test_a_commit_is_flushed_before_it_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with opened(tmp_path) as found:
        seen: list[bool] = []
        flush = PartitionLog.flush

        def watched(log: PartitionLog) -> None:
            seen.append("t" in found.image.topics_by_name)
            flush(log)

        monkeypatch.setattr(PartitionLog, "flush", watched)
        found.create("t")
        assert seen == [False]
        assert "t" in found.image.topics_by_name


def test_a_failed_flush_ends_commits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with opened(tmp_path) as found:

        def failing(log: PartitionLog) -> None:
            raise LogStorageError("no more")

        monkeypatch.setattr(PartitionLog, "flush", failing)
        with pytest.raises(ApiError) as caught:
            found.create("t")
        assert caught.value.code == ErrorCode.KAFKA_STORAGE_ERROR
        monkeypatch.undo()
        assert found.image.topics_by_name == {}
        with pytest.raises(ApiError) as caught:
            found.create("u")
        assert caught.value.code == ErrorCode.KAFKA_STORAGE_ERROR


def test_listeners_hear_of_commits_when_the_image_shows_them(tmp_path: Path) -> None:
    with opened(tmp_path) as found:
        heard: list[tuple[MetadataDelta, int, bool]] = []
        found.store.on_change(
            lambda delta: heard.append((delta, found.store.version, "t" in found.image.topics_by_name))
        )
        version = found.store.version
        found.store.derived["answer"] = 1
        found.create("t")
        ((delta, heard_version, was_there),) = heard
        assert [topic.name for topic in delta.topics_created.values()] == ["t"]
        assert (heard_version, was_there) == (version + 1, True)
        assert found.store.derived == {}


def test_an_operation_without_records_writes_nothing(tmp_path: Path) -> None:
    with opened(tmp_path) as found:
        version, offset = found.store.version, found.image.offset
        found.update(lambda image: delete_topics(image, [TopicKey("nope")]))
        assert (found.store.version, found.image.offset) == (version, offset)


def test_dynamic_broker_configuration_is_in_force_after_a_restart(tmp_path: Path) -> None:
    change = ResourceChange(4, "1", [KeyChange("log.retention.ms", 0, "7")])
    with opened(tmp_path) as found:
        found.update(lambda image: alter_configs(image, found.config, [change]))
        assert found.config.log_retention_ms == 7
    with opened(tmp_path) as again:
        assert again.config.log_retention_ms == 7


def test_many_partitions_replay_quickly(tmp_path: Path) -> None:
    with opened(tmp_path) as found:
        wanted = [NewTopic("big", 10_000, 1)]
        found.update(lambda image: create_topics(image, found.config, wanted))
        before = found.image
    with opened(tmp_path) as again:
        assert len(again.image.topics_by_name["big"].partitions) == 10_000
        assert again.image == before
