"""Groups at a glance: what metrics and people look at, without a request for each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from kstream.groups.describe import list_groups
from kstream.groups.state import GroupState


class GroupOverview(NamedTuple):
    """One group now."""

    group_id: str
    state: str
    """As ListGroups says it: `Stable`, `Empty`, `PreparingRebalance`."""
    kind: str
    """`classic`, `consumer`, `share`, or another's."""
    members: int
    positions: list[tuple[str, int, int]]
    """Topic, partition and committed offset; a share group has none."""


def overview(state: GroupState) -> Iterator[GroupOverview]:
    """Every group of one partition of `__consumer_offsets`."""
    for listed in list_groups(state, [], []):
        group_id = listed.group_id
        kinds = (state.groups, state.consumer_groups, state.share_groups)
        group = next((kind[group_id] for kind in kinds if group_id in kind), None)
        positions = [
            (topic, partition, value.offset) for topic, partition, value in state.offsets.of_group(group_id)
        ]
        members = 0 if group is None else len(group.members)
        yield GroupOverview(group_id, listed.group_state, listed.group_type, members, positions)
