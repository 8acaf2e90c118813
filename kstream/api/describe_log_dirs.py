"""DescribeLogDirs, versions 1-5 (KIP-113).

- One directory. Null topics ask for all partitions; those that do not exist are passed over.
- Sizes are those of the records, lag is 0, since nothing is moved between directories.
- 3: an error for the whole request. 4: the volume's size (KIP-827). 5: whether the directory is cordoned
  (KIP-1066), which it never is.
"""

from __future__ import annotations

import trio

from kstream.api.context import RequestContext
from kstream.api.registry import handles
from kstream.broker import log_dirs
from kstream.broker.replica import disk_limiter
from kstream.errors import ErrorCode
from kstream.wire.apis import ApiKey
from kstream.wire.messages.describe_log_dirs import (
    DescribeLogDirsPartition,
    DescribeLogDirsRequest,
    DescribeLogDirsResponse,
    DescribeLogDirsResult,
    DescribeLogDirsTopic,
)


@handles(ApiKey.DESCRIBE_LOG_DIRS)
async def handle(context: RequestContext, request: DescribeLogDirsRequest) -> DescribeLogDirsResponse:
    result = await trio.to_thread.run_sync(_describe, context, request, limiter=disk_limiter())
    return DescribeLogDirsResponse(results=[result])


def _describe(context: RequestContext, request: DescribeLogDirsRequest) -> DescribeLogDirsResult:
    wanted = None
    if request.topics is not None:
        wanted = [(topic.topic, index) for topic in request.topics for index in topic.partitions]
    result = DescribeLogDirsResult(log_dir=log_dirs.path_of(context.broker))
    try:
        found = log_dirs.sizes(context.broker, wanted)
        space = log_dirs.disk_space(context.broker)
    except OSError:
        result.error_code = ErrorCode.KAFKA_STORAGE_ERROR
        return result
    result.total_bytes, result.usable_bytes = space
    topics: dict[str, DescribeLogDirsTopic] = {}
    for (name, index), size_bytes in found.items():
        topic = topics.setdefault(name, DescribeLogDirsTopic(name=name))
        topic.partitions.append(DescribeLogDirsPartition(partition_index=index, partition_size=size_bytes))
    result.topics = list(topics.values())
    return result
