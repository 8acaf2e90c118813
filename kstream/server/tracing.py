"""Requests and answers on their way, noted in a trace."""

from __future__ import annotations

from collections.abc import Sequence

from kstream.api.context import RequestContext
from kstream.log.slices import LogSlice
from kstream.server.cut_off import CutOff
from kstream.server.dispatch import Answer
from kstream.server.trace_file import ANSWER, CLOSED, REQUEST, TraceWriter
from kstream.wire.codec import Part

_LENGTH_BYTES = 4


def traced(answer: Answer, writer: TraceWriter) -> Answer:
    """The same, with everything noted. Records in answers are read for that."""

    async def noting(frame: memoryview, context: RequestContext) -> list[Part] | None:
        connection = context.connection_id
        writer.write(connection, REQUEST, bytes(frame))
        try:
            parts = await answer(frame, context)
        except CutOff as cut:
            if cut.parts:
                writer.write(connection, ANSWER, _joined(cut.parts))
            writer.write(connection, CLOSED, str(cut).encode())
            raise
        except Exception as error:
            writer.write(connection, CLOSED, str(error).encode())
            raise
        if parts is not None:
            writer.write(connection, ANSWER, _joined(parts))
        return parts

    return noting


def _joined(parts: Sequence[Part]) -> bytes:
    pieces = [part.view() if isinstance(part, LogSlice) else part for part in parts]
    return b"".join(pieces)[_LENGTH_BYTES:]  # type: ignore[arg-type]
