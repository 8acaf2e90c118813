"""A member of a share group: a value, replaced whenever something of it changes."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from kstream.groups.consumer.member import JOIN_EPOCH, Target

STABLE = 0
"""The only state of a member that its record has."""

NOTHING: Target = MappingProxyType({})


class ShareMember(NamedTuple):
    """Defaults are those of a member that has just come."""

    member_id: str
    member_epoch: int = JOIN_EPOCH
    previous_epoch: int = -1
    state: int = STABLE
    rack_id: str | None = None
    client_id: str = ""
    client_host: str = ""
    topic_names: frozenset[str] = frozenset()
    assigned: Mapping[bytes, frozenset[int]] = NOTHING
    """Partitions by topic id that it has been told to consume."""

    def is_reconciled_to(self, assignment_epoch: int) -> bool:
        """Whether it knows of the target assignment of this epoch."""
        return self.state == STABLE and self.member_epoch == assignment_epoch
