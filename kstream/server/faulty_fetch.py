"""A fetch that fails: at once, for the partitions that are meant; the others are read as ever."""

from __future__ import annotations

from kstream.api.context import RequestContext
from kstream.api.registry import Handler
from kstream.broker.fetch_sessions import FetchSession
from kstream.errors import ErrorCode
from kstream.faults import Fault
from kstream.server import refusals
from kstream.server.naming import session_of, topic_of
from kstream.wire.messages.fetch import (
    FetchableTopicResponse,
    FetchRequest,
    FetchResponse,
    PartitionData,
)

_OF_SESSIONS = frozenset(
    {
        ErrorCode.FETCH_SESSION_ID_NOT_FOUND,
        ErrorCode.INVALID_FETCH_SESSION_EPOCH,
        ErrorCode.FETCH_SESSION_TOPIC_ID_ERROR,
    }
)
"""A fetch that has one of these has it as a whole; others are errors of its partitions."""


def meant_by(fault: Fault, context: RequestContext) -> refusals.IsMeant:
    """Whether a fault is about the topic that an element of a message names."""
    image = context.broker.metadata.image
    return lambda element: bool(fault.matching([topic_of(element, image)]))


def failing_fetch(fault: Fault, code: ErrorCode, handler: Handler) -> Handler:
    """In place of the handler of Fetch: nobody waits for records, and what is meant has the error."""

    async def handle(context: RequestContext, request: FetchRequest) -> FetchResponse:
        if code in _OF_SESSIONS:
            return FetchResponse(error_code=code)
        session = session_of(context, request)
        request.max_wait_ms = 0
        response: FetchResponse = await handler(context, request)
        if response.error_code:
            return response
        is_meant = meant_by(fault, context)
        for topic in response.responses:
            if is_meant(topic):
                refusals.spoil_topic(topic, code)
                for partition in topic.partitions:
                    partition.high_watermark = -1
        if session is not None:
            response.responses += _unsaid(session, response, code, is_meant)
        return response

    return handle


def _unsaid(
    session: FetchSession, response: FetchResponse, code: ErrorCode, is_meant: refusals.IsMeant
) -> list[FetchableTopicResponse]:
    """The error for partitions that the session fetches and the answer does not name."""
    said = {
        (topic.topic_id if session.uses_topic_ids else topic.topic, partition.partition_index)
        for topic in response.responses
        for partition in topic.partitions
    }
    unsaid: list[FetchableTopicResponse] = []
    for key, partition in session.partitions.items():
        topic = FetchableTopicResponse()
        if isinstance(partition.topic, bytes):
            topic.topic_id = partition.topic
        else:
            topic.topic = partition.topic
        if is_meant(topic):
            session.on_failed(partition)
            if key not in said:
                failed = PartitionData(
                    partition_index=partition.index, error_code=code, high_watermark=-1, records=b""
                )
                topic.partitions = [failed]
                unsaid.append(topic)
    return unsaid
