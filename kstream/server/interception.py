"""Who stands before a dispatcher: nobody, unless there is something to do for them."""

from __future__ import annotations

from kstream.broker.broker import Broker
from kstream.broker.faulty_disk import FaultyDisk
from kstream.server.dispatch import Dispatcher
from kstream.server.faulty import FaultyRequests


class Interception:
    """Sets `dispatcher.answer` to what is wanted now: without faults nobody asks for any."""

    def __init__(self, broker: Broker, dispatcher: Dispatcher) -> None:
        self._broker = broker
        self._dispatcher = dispatcher
        self._faulty = FaultyRequests(broker, dispatcher)
        self._disk = FaultyDisk(broker)
        broker.faults.on_change(self._arrange)
        self._arrange()

    def _arrange(self) -> None:
        has_faults = self._broker.faults.meets_requests
        self._dispatcher.answer = self._faulty.answer if has_faults else self._dispatcher.answer_request
