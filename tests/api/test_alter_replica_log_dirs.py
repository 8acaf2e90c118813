"""AlterReplicaLogDirs on the one directory there is."""

from __future__ import annotations

import pytest

from kstream.broker import log_dirs
from kstream.errors import ErrorCode
from kstream.wire.messages.alter_replica_log_dirs import (
    AlterReplicaLogDir,
    AlterReplicaLogDirsRequest,
    AlterReplicaLogDirsResponse,
    AlterReplicaLogDirTopic,
)
from tests.api.conftest import Asker

UNKNOWN = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
NOT_FOUND = ErrorCode.LOG_DIR_NOT_FOUND


def _move(asker: Asker, version: int, *wanted: tuple[str, str, list[int]]) -> dict[tuple[str, int], int]:
    dirs = [
        AlterReplicaLogDir(path=path, topics=[AlterReplicaLogDirTopic(name=name, partitions=partitions)])
        for path, name, partitions in wanted
    ]
    answer = asker.ask(AlterReplicaLogDirsRequest(dirs=dirs), version, AlterReplicaLogDirsResponse)
    return {
        (topic.topic_name, partition.partition_index): partition.error_code
        for topic in answer.results
        for partition in topic.partitions
    }


@pytest.mark.parametrize("version", [1, 2])
def test_to_where_it_is_and_elsewhere(asker: Asker, version: int) -> None:
    asker.create("t", partitions=2)
    here = log_dirs.path_of(asker.broker)
    assert _move(asker, version, (here, "t", [0, 1, 2])) == {("t", 0): 0, ("t", 1): 0, ("t", 2): UNKNOWN}
    assert _move(asker, version, ("/elsewhere", "t", [0])) == {("t", 0): NOT_FOUND}
    assert _move(asker, version, ("/elsewhere", "nothing", [0])) == {("nothing", 0): NOT_FOUND}
    assert _move(asker, version, (here, "nothing", [0])) == {("nothing", 0): UNKNOWN}


def test_the_last_directory_counts(asker: Asker) -> None:
    asker.create("t")
    here = log_dirs.path_of(asker.broker)
    assert _move(asker, 2, (here, "t", [0]), ("/elsewhere", "t", [0])) == {("t", 0): NOT_FOUND}
    assert _move(asker, 2, ("/elsewhere", "t", [0]), (here, "t", [0])) == {("t", 0): 0}
