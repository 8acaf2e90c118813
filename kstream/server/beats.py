"""Heartbeats that repeat: a member of a group says the same each time, and hears the same.

What a connection sent last is kept with the connection. The same bytes again, but for the correlation id,
need no decoding and their answer no encoding, and a member to whom nothing is to be said no operation of the
coordinator: its session is renewed. Anything else goes the ordinary way.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from kstream.api.context import RequestContext
from kstream.wire.apis import ApiKey
from kstream.wire.codec import Part
from kstream.wire.messages.consumer_group_heartbeat import (
    ConsumerGroupHeartbeatRequest,
    ConsumerGroupHeartbeatResponse,
)
from kstream.wire.messages.heartbeat import HeartbeatRequest, HeartbeatResponse

APIS = frozenset({ApiKey.HEARTBEAT, ApiKey.CONSUMER_GROUP_HEARTBEAT})

_START = slice(0, 4)
_CORRELATION_ID = slice(4, 8)
_SAID = slice(8, None)
"""Of a request, behind API key and version, and correlation id."""

Request = HeartbeatRequest | ConsumerGroupHeartbeatRequest
Response = HeartbeatResponse | ConsumerGroupHeartbeatResponse


class Beat:
    """A heartbeat with nothing new in it or in its answer, and the bytes of the answer.

    `renew` says whether it is so again, and then has renewed the session.
    """

    __slots__ = ("_after", "_before", "_client_id", "_renew", "_said", "_start", "_stats", "_version")

    def __init__(
        self, frame: memoryview, context: RequestContext, renew: Callable[[], bool], answer: bytes
    ) -> None:
        self._start = frame[_START].tobytes()
        self._said = frame[_SAID].tobytes()
        self._renew = renew
        self._client_id = context.client_id
        self._version = context.api_version
        self._stats = context.stats
        self._before, self._after = answer[:4], answer[8:]

    def answer(self, frame: memoryview, context: RequestContext) -> list[Part] | None:
        """The answer to the same again; None, with nothing done, if it is another or not so simple. HOT."""
        if frame[_SAID] != self._said or frame[_START] != self._start:
            return None
        if not self._renew():
            return None
        context.client_id = self._client_id
        context.api_version = self._version
        context.stats = self._stats
        return [self._before + frame[_CORRELATION_ID] + self._after]


def learn(
    frame: memoryview, context: RequestContext, request: Request, response: Response, parts: list[Part]
) -> None:
    """Keep a heartbeat with its connection, if it can be answered so again."""
    renew = _renewal(context, request, response)
    if renew is not None and len(parts) == 1 and isinstance(parts[0], bytes):
        context.beat = Beat(frame, context, renew, parts[0]).answer


def _renewal(context: RequestContext, request: Request, response: Response) -> Callable[[], bool] | None:
    groups = context.broker.groups
    if isinstance(request, HeartbeatRequest):
        return partial(groups.renew, request) if response == HeartbeatResponse() else None
    if not isinstance(response, ConsumerGroupHeartbeatResponse):
        return None
    is_told_nothing = response == ConsumerGroupHeartbeatResponse(
        member_id=request.member_id,
        member_epoch=request.member_epoch,
        heartbeat_interval_ms=response.heartbeat_interval_ms,
    )
    if not is_told_nothing or request.member_epoch <= 0:
        return None
    return partial(groups.renew_consumer, request, context.caller(), response.heartbeat_interval_ms)
