"""Consumer groups: state, members, positions, lag."""

from __future__ import annotations

from collections import Counter

import trio

from kstream.broker.broker import Broker
from kstream.errors import ApiError
from kstream.groups.overview import GroupOverview
from kstream.web.lag import end_offset
from kstream.web.metrics.families import Families

POSITIONS_MAX = 10_000
"""Of all groups together: those of the first groups by name are shown."""

_STATES = ("PreparingRebalance", "CompletingRebalance", "Stable", "Dead", "Empty")
_GROUPS_PER_TURN = 16


async def add_groups(families: Families, broker: Broker) -> int:
    """Returns how many groups were left out."""
    try:
        groups = sorted(await broker.groups.overview())
    except ApiError:  # still loading: no figures are better than wrong ones
        return 0
    _add_counts(families, groups)
    positions = left_out = 0
    for number, group in enumerate(groups, 1):
        positions += max(len(group.positions), 1)
        if positions > POSITIONS_MAX:
            left_out += 1
            continue
        await _add_group(families, broker, group)
        if not number % _GROUPS_PER_TURN:
            await trio.lowlevel.checkpoint()
    return left_out


async def _add_group(families: Families, broker: Broker, group: GroupOverview) -> None:
    name = group.group_id
    families.gauge("kafka_consumergroup_members", "Members of a group.", group.members, consumergroup=name)
    families.gauge(
        "kstream_consumergroup_state",
        "1 for the state that a group is in.",
        1,
        consumergroup=name,
        state=group.state,
    )
    offset_sums: Counter[str] = Counter()
    lag_sums: Counter[str] = Counter()
    for topic, partition, offset in group.positions:
        labels = {"consumergroup": name, "topic": topic, "partition": str(partition)}
        families.gauge("kafka_consumergroup_current_offset", "The committed offset.", offset, **labels)
        offset_sums[topic] += offset
        end = await end_offset(broker, topic, partition)
        if end is not None:
            lag = max(end - offset, 0)
            lag_sums[topic] += lag
            families.gauge("kafka_consumergroup_lag", "Records behind the end.", lag, **labels)
    for topic, value in offset_sums.items():
        labels = {"consumergroup": name, "topic": topic}
        families.gauge(
            "kafka_consumergroup_current_offset_sum", "Committed offsets, added up.", value, **labels
        )
        families.gauge(
            "kafka_consumergroup_lag_sum", "Records behind the end, in all.", lag_sums[topic], **labels
        )


def _add_counts(families: Families, groups: list[GroupOverview]) -> None:
    states = Counter(group.state for group in groups)
    prefix = "kafka_coordinator_group_groupmetadatamanager_numgroups"
    families.gauge(prefix, "Groups.", len(groups))
    for state in _STATES:
        families.gauge(f"{prefix}{state.lower()}", f"Groups that are {state}.", states[state])
