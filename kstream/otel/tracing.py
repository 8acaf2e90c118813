"""Spans around the handlers of Produce and Fetch, in the words of OpenTelemetry's messaging conventions."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, cast

from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    StatusCode,
    Tracer,
    set_span_in_context,
)

from kstream.api.context import RequestContext
from kstream.api.registry import Handler, Registration
from kstream.broker.broker import Broker
from kstream.errors import ErrorCode
from kstream.log.slices import LogSlice
from kstream.otel.contexts import contexts_of
from kstream.wire.apis import ApiKey
from kstream.wire.messages.fetch import FetchRequest, FetchResponse
from kstream.wire.messages.produce import ProduceRequest, ProduceResponse

_SLICE_BYTES_MAX = 1 << 20
"""Of a larger answer, only so much is searched."""


class Tracing:
    """Makes spans where records say that their trace is sampled, and nothing otherwise."""

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer

    def observed(self, registrations: Mapping[int, Registration]) -> dict[int, Registration]:
        """The same handlers, with these two observed at every request."""
        observed = dict(registrations)
        for key, observe in ((ApiKey.PRODUCE, self._produce), (ApiKey.FETCH, self._fetch)):
            registration = observed[key]
            handler = observe(registration.handler)
            observed[key] = registration._replace(handler=handler, is_observed=True)
        return observed

    def _produce(self, handler: Handler) -> Handler:
        async def handle(context: RequestContext, request: ProduceRequest) -> ProduceResponse | None:
            spans: dict[tuple[str | bytes, int], Span] = {}
            for topic in request.topic_data:
                for produced in topic.partition_data:
                    records = cast("memoryview | None", produced.records)
                    contexts = contexts_of(records) if records is not None else []
                    if contexts:
                        key = topic.name or topic.topic_id
                        name = _topic_name(context.broker, key)
                        spans[key, produced.index] = self._begin_send(context, name, produced.index, contexts)
            response: ProduceResponse | None = None
            try:
                response = await handler(context, request)
            finally:
                _end_sends(spans, response)
            return response

        return handle

    def _fetch(self, handler: Handler) -> Handler:
        async def handle(context: RequestContext, request: FetchRequest) -> FetchResponse:
            began_ns = time.time_ns()
            response: FetchResponse = await handler(context, request)
            for topic in response.responses:
                for data in topic.partitions:
                    contexts = _fetched_contexts(data.records)
                    if contexts:
                        name = _topic_name(context.broker, topic.topic or topic.topic_id)
                        self._receive(context, name, data.partition_index, contexts, began_ns)
            return response

        return handle

    def _begin_send(
        self, context: RequestContext, topic: str, partition: int, contexts: list[SpanContext]
    ) -> Span:
        """The first record's trace goes on in it; it is linked to the others'."""
        parent = set_span_in_context(NonRecordingSpan(contexts[0]))
        return self._tracer.start_span(
            f"append {topic}",
            parent,
            kind=SpanKind.SERVER,
            links=[Link(each) for each in contexts[1:]],
            attributes=_attributes(context, "send", topic, partition),
        )

    def _receive(
        self,
        context: RequestContext,
        topic: str,
        partition: int,
        contexts: list[SpanContext],
        began_ns: int,
    ) -> None:
        """A trace of its own, since what is fetched together was not sent together: linked to all of it."""
        span = self._tracer.start_span(
            f"fetch {topic}",
            kind=SpanKind.SERVER,
            links=[Link(each) for each in contexts],
            attributes=_attributes(context, "receive", topic, partition),
            start_time=began_ns,
        )
        span.end()


def _end_sends(spans: Mapping[tuple[str | bytes, int], Span], response: ProduceResponse | None) -> None:
    answers = {
        (topic.name or topic.topic_id, answer.index): answer
        for topic in (response.responses if response is not None else ())
        for answer in topic.partition_responses
    }
    for key, span in spans.items():
        answer = answers.get(key)
        if answer is not None and answer.error_code:
            name = ErrorCode(answer.error_code).name
            span.set_attribute("error.type", name)
            span.set_status(StatusCode.ERROR, name)
        elif answer is not None:
            span.set_attribute("messaging.kafka.offset", answer.base_offset)
        span.end()


def _fetched_contexts(records: Any) -> list[SpanContext]:
    if not isinstance(records, LogSlice) or not len(records):
        return []
    return contexts_of(records.view()[:_SLICE_BYTES_MAX])


def _topic_name(broker: Broker, key: str | bytes) -> str:
    if isinstance(key, str):
        return key
    topic = broker.metadata.image.topics_by_id.get(key)
    return "" if topic is None else topic.name


def _attributes(context: RequestContext, operation: str, topic: str, partition: int) -> dict[str, str | int]:
    return {
        "messaging.system": "kafka",
        "messaging.operation.type": operation,
        "messaging.operation.name": "append" if operation == "send" else "fetch",
        "messaging.destination.name": topic,
        "messaging.destination.partition.id": str(partition),
        "messaging.client.id": context.client_id or "",
        "network.peer.address": context.peer_address[0],
        "network.peer.port": context.peer_address[1],
    }
