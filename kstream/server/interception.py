"""Who stands before a dispatcher: nobody, unless there is something to do for them."""

from __future__ import annotations

from pathlib import Path

from kstream.broker.broker import Broker
from kstream.broker.faulty_disk import FaultyDisk
from kstream.server.dispatch import Answer, Dispatcher
from kstream.server.faulty import FaultyRequests
from kstream.server.trace_file import TraceWriter
from kstream.server.tracing import traced


class Interception:
    """Sets `dispatcher.answer` to what is wanted now: without faults or a trace nobody asks for any."""

    def __init__(self, broker: Broker, dispatcher: Dispatcher) -> None:
        self._trace: TraceWriter | None = None
        self._broker = broker
        self._dispatcher = dispatcher
        self._faulty = FaultyRequests(broker, dispatcher)
        self._disk = FaultyDisk(broker)
        broker.faults.on_change(self._arrange)
        broker.start_trace = self.trace
        if broker.trace_path is not None:
            self.trace(broker.trace_path)
        self._arrange()

    def trace(self, path: Path | None) -> None:
        """Note all traffic in a file from now on; None ends that. Raises BadTrace."""
        self.close()
        if path is not None:
            self._trace = TraceWriter(path)
        self._arrange()

    def close(self) -> None:
        """End a trace."""
        if self._trace is not None:
            self._trace.close()
            self._trace = None

    def _arrange(self) -> None:
        has_faults = self._broker.faults.meets_requests
        answer: Answer = self._faulty.answer if has_faults else self._dispatcher.answer_request
        self._dispatcher.answer = answer if self._trace is None else traced(answer, self._trace)
