"""Requests that meet faults: they wait, fail, vanish, or set something off."""

from __future__ import annotations

import logging
from typing import Any

import trio

from kstream.api.context import RequestContext
from kstream.api.registry import Handler
from kstream.broker.broker import Broker
from kstream.broker.fault_events import happen
from kstream.errors import ErrorCode
from kstream.faults import Fault, Kind
from kstream.faults.fault import Seen
from kstream.faults.kinds import OPTIONS
from kstream.log.slices import LogSlice
from kstream.server import refusals, throttling
from kstream.server.cut_off import CutOff
from kstream.server.dispatch import Dispatcher
from kstream.server.faulty_fetch import failing_fetch, meant_by
from kstream.server.naming import seen
from kstream.wire.apis import ApiKey
from kstream.wire.codec import Part, decode, encode
from kstream.wire.messages.metadata import MetadataResponse
from kstream.wire.schema import Message

log = logging.getLogger(__name__)


class FaultyRequests:
    """Answers in place of a dispatcher, with its help."""

    def __init__(self, broker: Broker, dispatcher: Dispatcher) -> None:
        self._broker = broker
        self._dispatcher = dispatcher
        self._changed = trio.Event()
        broker.faults.on_change(self._on_change)

    def _on_change(self) -> None:
        self._changed.set()
        self._changed = trio.Event()

    async def answer(self, frame: memoryview, context: RequestContext) -> list[Part] | None:
        """Answer a request as the faults that it meets demand.

        Raises:
            CutOff: the connection is to be closed.
            ProtocolError: as `Dispatcher.answer_request`.
        """
        call = self._dispatcher.read(frame, context)
        if call is None:
            return await self._dispatcher.answer_request(frame, context)
        about = seen(context, call.key, call.request)
        faults = self._broker.faults.take(about)
        for fault in faults:
            log.info("%r meets %s of %s", fault, call.key.name, context.client_id)
            await self._before(fault, about)
        handler = call.endpoint.handler
        for fault in faults:
            handler = _faulty_handler(fault, call.key, handler)
        parts = await self._dispatcher.complete(call, handler, context)
        for fault in faults:
            if fault.kind is Kind.THROTTLE:
                context.throttle_ms = max(context.throttle_ms, fault.ms or 0)
            await self._after(fault, about, parts)
        return parts

    async def _before(self, fault: Fault, about: Seen) -> None:
        if fault.kind is Kind.LATENCY:
            await trio.sleep((fault.ms or 0) / 1000)
        elif fault.kind is Kind.STALL:
            with trio.move_on_after(float("inf") if fault.ms is None else fault.ms / 1000):
                while not fault.is_removed:
                    await self._changed.wait()
        elif fault.when == "before":
            if fault.kind is Kind.DROP:
                raise CutOff(f"{fault!r}")
            if OPTIONS[fault.kind].is_event:
                await happen(self._broker, fault, about)

    async def _after(self, fault: Fault, about: Seen, parts: list[Part] | None) -> None:
        if fault.kind is Kind.TORN:
            raise CutOff(f"{fault!r}", _torn(parts or [], fault.bytes))
        if fault.when == "after":
            if fault.kind is Kind.DROP:
                _torn(parts or [], 0)
                raise CutOff(f"{fault!r}")
            if OPTIONS[fault.kind].is_event:
                await happen(self._broker, fault, about)


def _torn(parts: list[Part], size_bytes: int | None) -> list[Part]:
    """The beginning of an answer, by default the half of it."""
    whole_bytes = sum(map(len, parts))
    rest = whole_bytes // 2 if size_bytes is None else min(size_bytes, max(whole_bytes - 1, 0))
    begun: list[Part] = []
    for part in parts:
        if isinstance(part, LogSlice):
            begun.append(bytes(part.view()[:rest]))
            part.release()
        else:
            begun.append(bytes(memoryview(part)[:rest]))  # type: ignore[arg-type]
        rest -= len(begun[-1])
    return begun


def _faulty_handler(fault: Fault, key: ApiKey, handler: Handler) -> Handler:
    if fault.kind is Kind.THROTTLE:
        return _throttled(fault.ms or 0, handler)
    if fault.kind is not Kind.ERROR:
        return handler
    assert fault.error is not None
    if key is ApiKey.FETCH:
        return failing_fetch(fault, fault.error, handler)
    if fault.when == "after" or key in refusals.ANSWERED_FIRST:
        return _spoiled(fault, fault.error, handler)
    return _refused(fault, fault.error, handler)


def _throttled(ms: int, handler: Handler) -> Handler:
    async def handle(context: RequestContext, request: Any) -> Any:
        response = await handler(context, request)
        if response is not None:
            throttling.tell(response, ms)
        return response

    return handle


def _refused(fault: Fault, code: ErrorCode, handler: Handler) -> Handler:
    """What is meant gets the error and is not looked at; the rest of the request is carried out."""

    async def handle(context: RequestContext, request: Message) -> Any:
        rest, meant = refusals.split(request, meant_by(fault, context))
        if meant is None:
            return await handler(context, request)
        if getattr(request, "acks", None) == 0:
            raise CutOff(f"{fault!r}: there is no other way to tell a producer without acks")
        refused = refusals.refusal(meant, context.api_version, code)
        return refused if rest is None else refusals.merge(await handler(context, rest), refused)

    return handle


def _spoiled(fault: Fault, code: ErrorCode, handler: Handler) -> Handler:
    async def handle(context: RequestContext, request: Message) -> Any:
        response = await handler(context, request)
        if response is not None:
            if isinstance(response, MetadataResponse):  # parts of which may be kept encoded
                encoded = encode(response, context.api_version)
                response = decode(MetadataResponse, memoryview(encoded), context.api_version)
            is_meant = None if fault.topic is None else meant_by(fault, context)
            refusals.spoil(response, code, is_meant)
            if isinstance(response, MetadataResponse):
                for topic in response.topics:
                    if topic.error_code == code:
                        topic.partitions = []
        return response

    return handle
