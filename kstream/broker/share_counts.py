"""What has become of the records of share groups since the start, counted."""

from __future__ import annotations

from kstream.shares.changes import Change
from kstream.shares.limits import Acquired
from kstream.shares.states import RecordState


class ShareCounts:
    """Of one share partition. It outlives the window, which goes with the group's last member."""

    __slots__ = ("accepted", "dead_lettered", "delivered", "given_up", "redelivered")

    def __init__(self) -> None:
        self.delivered = 0
        self.redelivered = 0
        self.accepted = 0
        self.given_up = 0
        """Rejected, delivered too often, or expired; dead letters are not among them."""
        self.dead_lettered = 0

    def on_acquired(self, acquired: list[Acquired]) -> None:
        """Records went out."""
        for first, last, delivery_count in acquired:
            self.delivered += last - first + 1
            if delivery_count > 1:
                self.redelivered += last - first + 1

    def on_stored(self, change: Change) -> None:
        """States have changed for good."""
        for first, last, state, _ in change.state_batches:
            count = last - first + 1
            if state == RecordState.ACKNOWLEDGED:
                self.accepted += count
            elif state == RecordState.ARCHIVED:
                self.given_up += count
            elif state == RecordState.ARCHIVING:
                self.dead_lettered += count
