"""AlterReplicaLogDirs, versions 1-2 (KIP-113).

- There is one log directory: moving a replica to where it is succeeds and does nothing.
- 57 for any other path, before the partition is looked at; 3 for unknown partitions.
- A partition that is sent to several directories is answered for the last.
"""

from __future__ import annotations

from kstream.api.context import RequestContext
from kstream.api.registry import handles
from kstream.broker import log_dirs
from kstream.errors import ErrorCode
from kstream.wire.apis import ApiKey
from kstream.wire.messages.alter_replica_log_dirs import (
    AlterReplicaLogDirPartitionResult,
    AlterReplicaLogDirsRequest,
    AlterReplicaLogDirsResponse,
    AlterReplicaLogDirTopicResult,
)


@handles(ApiKey.ALTER_REPLICA_LOG_DIRS)
async def handle(context: RequestContext, request: AlterReplicaLogDirsRequest) -> AlterReplicaLogDirsResponse:
    paths = {
        (topic.name, index): wanted.path
        for wanted in request.dirs
        for topic in wanted.topics
        for index in topic.partitions
    }
    own_path = log_dirs.path_of(context.broker)
    topics: dict[str, AlterReplicaLogDirTopicResult] = {}
    for (name, index), path in paths.items():
        error_code = ErrorCode.NONE
        if path != own_path:
            error_code = ErrorCode.LOG_DIR_NOT_FOUND
        elif not _exists(context, name, index):
            error_code = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
        topic = topics.setdefault(name, AlterReplicaLogDirTopicResult(topic_name=name))
        topic.partitions.append(
            AlterReplicaLogDirPartitionResult(partition_index=index, error_code=error_code)
        )
    return AlterReplicaLogDirsResponse(results=list(topics.values()))


def _exists(context: RequestContext, topic_name: str, index: int) -> bool:
    topic = context.broker.metadata.image.topics_by_name.get(topic_name)
    return topic is not None and 0 <= index < len(topic.partitions)
