"""The broker's clock, which tests move ahead."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from kstream.testing.clock import leap
from kstream.web.operation import BadRequest, Call, Operation
from kstream.web.running import Running

_TAG = "testing"
_AHEAD_MS_MAX = 100 * 365 * 86_400_000

Amount = Annotated[float, Meta(ge=0)]


class Advance(msgspec.Struct, forbid_unknown_fields=True):
    """By how much, in all."""

    hours: Amount = 0
    minutes: Amount = 0
    seconds: Amount = 0
    milliseconds: Amount = 0


class ClockState(msgspec.Struct):
    """The broker's time, and how far ahead of the machine's it is."""

    now_ms: int
    ahead_ms: int


async def get_clock(call: Call) -> ClockState:
    return _state(call.running)


async def advance_clock(call: Call) -> ClockState:
    by: Advance = call.body
    by_ms = by.hours * 3_600_000 + by.minutes * 60_000 + by.seconds * 1000 + by.milliseconds
    if not 0.5 <= by_ms <= _AHEAD_MS_MAX - call.running.clock.ahead_ms:
        raise BadRequest("a clock moves ahead only, and no more than a hundred years")
    await leap(call.running.broker, call.running.clock, round(by_ms))
    return _state(call.running)


def _state(running: Running) -> ClockState:
    return ClockState(running.clock.now_ms(), running.clock.ahead_ms)


OPERATIONS = (
    Operation("GET", "/v1/clock", "The broker's clock", get_clock, _TAG, answer=ClockState),
    Operation(
        "POST",
        "/v1/clock/advance",
        "Move it ahead: retention, sessions, transactions and long polls follow",
        advance_clock,
        _TAG,
        body=Advance,
        answer=ClockState,
    ),
)
