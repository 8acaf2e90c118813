"""CreateTopics, versions 2-7.

- Each topic for itself: 36 exists, 37 partition count, 38 replication factor, 39 assignment, 40
configuration, 17 name;
  42 for a name given twice and for `__cluster_metadata`; 44 for more than 10,000 partitions in a request.
- -1 takes the broker's default count or factor (KIP-464). `validate_only` decides everything and writes
nothing. - A timeout that is not positive gets REQUEST_TIMED_OUT and creates nothing. - 5: the created
topic's counts and whole configuration in the answer (KIP-525). 7: topic ids.
"""

from __future__ import annotations

from collections import Counter

from kstream.api.context import RequestContext
from kstream.api.registry import handles
from kstream.broker.metadata.create_topics import CreatedTopic, NewTopic, create_topics
from kstream.broker.metadata.image import METADATA_TOPIC
from kstream.config.broker import BrokerConfig
from kstream.config.describe import describe_topic
from kstream.errors import ApiError, ErrorCode
from kstream.wire.apis import ApiKey
from kstream.wire.messages.create_topics import (
    CreatableTopic,
    CreatableTopicConfigs,
    CreatableTopicResult,
    CreateTopicsRequest,
    CreateTopicsResponse,
)

_FIRST_VERSION_WITH_CONFIGS = 5


@handles(ApiKey.CREATE_TOPICS)
async def handle(context: RequestContext, request: CreateTopicsRequest) -> CreateTopicsResponse:
    broker = context.broker
    # The time is looked at once there is something to do: not if every name occurs twice or is refused.
    counts = Counter(topic.name for topic in request.topics)
    if request.timeout_ms <= 0 and any(
        count == 1 and name != METADATA_TOPIC for name, count in counts.items()
    ):
        return _failure(request, ApiError(ErrorCode.REQUEST_TIMED_OUT))
    wanted = [_new_topic(topic) for topic in request.topics]
    try:
        created = await broker.metadata.update(
            lambda image: create_topics(image, broker.config, wanted, validate_only=request.validate_only)
        )
    except ApiError as error:
        return _failure(request, error)
    with_configs = context.api_version >= _FIRST_VERSION_WITH_CONFIGS
    return CreateTopicsResponse(topics=[_result(topic, broker.config, with_configs) for topic in created])


def _new_topic(topic: CreatableTopic) -> NewTopic:
    return NewTopic(
        topic.name,
        topic.num_partitions,
        topic.replication_factor,
        [(assignment.partition_index, assignment.broker_ids) for assignment in topic.assignments],
        [(config.name, config.value) for config in topic.configs],
    )


def _result(topic: CreatedTopic, config: BrokerConfig, with_configs: bool) -> CreatableTopicResult:
    if topic.error is not None:
        return CreatableTopicResult(
            name=topic.name, error_code=topic.error.code, error_message=topic.error.message
        )
    result = CreatableTopicResult(
        name=topic.name,
        topic_id=topic.topic_id,
        error_message=None,
        num_partitions=topic.num_partitions,
        replication_factor=topic.replication_factor,
    )
    if with_configs:
        # What the client gave is shown as it was given; DescribeConfigs shows it tidied.
        result.configs = [
            CreatableTopicConfigs(
                name=entry.name,
                value=topic.configs.get(entry.name, entry.value),
                read_only=entry.is_read_only,
                config_source=entry.source,
                is_sensitive=entry.is_sensitive,
            )
            for entry in describe_topic(config, topic.configs)
        ]
    return result


def _failure(request: CreateTopicsRequest, error: ApiError) -> CreateTopicsResponse:
    return CreateTopicsResponse(
        topics=[
            CreatableTopicResult(name=topic.name, error_code=error.code, error_message=error.message)
            for topic in request.topics
        ]
    )
