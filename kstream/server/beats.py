"""Heartbeats that repeat: a member of a classic group says the same each time, and hears the same.

What a connection sent last is kept with the connection. The same bytes again, but for the correlation id,
need no decoding and their answer no encoding, and a member that is in a quiet group no operation of the
coordinator: its session is renewed. Anything else goes the ordinary way.
"""

from __future__ import annotations

from kstream.api.context import RequestContext
from kstream.wire.codec import Part
from kstream.wire.messages.heartbeat import HeartbeatRequest, HeartbeatResponse

_START = slice(0, 4)
_CORRELATION_ID = slice(4, 8)
_SAID = slice(8, None)
"""Of a request, behind API key and version, and correlation id."""


class Beat:
    """A heartbeat that was answered without an error, and the bytes of its answer."""

    __slots__ = ("_after", "_before", "_client_id", "_request", "_said", "_start", "_stats", "_version")

    def __init__(
        self, frame: memoryview, context: RequestContext, request: HeartbeatRequest, answer: bytes
    ) -> None:
        self._start = frame[_START].tobytes()
        self._said = frame[_SAID].tobytes()
        self._request = request
        self._client_id = context.client_id
        self._version = context.api_version
        self._stats = context.stats
        self._before, self._after = answer[:4], answer[8:]

    def answer(self, frame: memoryview, context: RequestContext) -> list[Part] | None:
        """The answer to the same again; None, with nothing done, if it is another or not so simple. HOT."""
        if frame[_SAID] != self._said or frame[_START] != self._start:
            return None
        if not context.broker.groups.renew(self._request):
            return None
        context.client_id = self._client_id
        context.api_version = self._version
        context.stats = self._stats
        return [self._before + frame[_CORRELATION_ID] + self._after]


def learn(
    frame: memoryview,
    context: RequestContext,
    request: HeartbeatRequest,
    response: HeartbeatResponse,
    parts: list[Part],
) -> None:
    """Keep a heartbeat with its connection, if it can be answered so again."""
    if response == HeartbeatResponse() and len(parts) == 1 and isinstance(parts[0], bytes):
        context.beat = Beat(frame, context, request, parts[0]).answer
