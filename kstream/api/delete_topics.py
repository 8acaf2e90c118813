"""DeleteTopics, versions 1-6.

- Unknown names get 3, unknown ids 100; a topic named twice, or by nothing, gets 42.
- `delete.topic.enable=false` gets TOPIC_DELETION_DISABLED, INVALID_REQUEST before version 3.
- A timeout that is not positive gets REQUEST_TIMED_OUT and deletes nothing.
- 5: error messages. 6: by name or by id.
- Kafka shuffles its answer, so that its order tells nothing about topics one may not see; this is in order.
"""

from __future__ import annotations

from kstream.api.context import RequestContext
from kstream.api.registry import handles
from kstream.broker.metadata.delete_topics import DeletedTopic, TopicKey, delete_topics, has_work
from kstream.errors import ApiError, ErrorCode
from kstream.wire.apis import ApiKey
from kstream.wire.messages.delete_topics import (
    DeletableTopicResult,
    DeleteTopicsRequest,
    DeleteTopicsResponse,
)

_FIRST_VERSION_WITH_DISABLED_ERROR = 3
_FIRST_VERSION_WITH_IDS = 6


@handles(ApiKey.DELETE_TOPICS)
async def handle(context: RequestContext, request: DeleteTopicsRequest) -> DeleteTopicsResponse:
    if context.api_version >= _FIRST_VERSION_WITH_IDS:
        keys = [TopicKey(topic.name, topic.topic_id) for topic in request.topics]
    else:
        keys = [TopicKey(name) for name in request.topic_names]
    broker = context.broker
    try:
        if not broker.config.delete_topic_enable:
            is_old = context.api_version < _FIRST_VERSION_WITH_DISABLED_ERROR
            raise ApiError(ErrorCode.INVALID_REQUEST if is_old else ErrorCode.TOPIC_DELETION_DISABLED)
        if request.timeout_ms <= 0 and has_work(broker.metadata.image, keys):
            raise ApiError(ErrorCode.REQUEST_TIMED_OUT)
        deleted = await broker.metadata.update(lambda image: delete_topics(image, keys))
    except ApiError as error:
        deleted = [DeletedTopic(key.name, key.topic_id, error) for key in keys]
    return DeleteTopicsResponse(responses=[_result(topic) for topic in deleted])


def _result(topic: DeletedTopic) -> DeletableTopicResult:
    result = DeletableTopicResult(name=topic.name, topic_id=topic.topic_id)
    if topic.error is not None:
        result.error_code = topic.error.code
        result.error_message = topic.error.message
    return result
