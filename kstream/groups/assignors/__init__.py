"""Server-side assignors (KIP-848): who of a consumer group gets which partitions.

Pure functions that give the answers of Apache Kafka 4.4.0's. Those depend on the order in which Java's hash
maps go through members, topics and partitions, so that order is part of the algorithm here.
"""

from __future__ import annotations

from kstream.groups.assignors.model import Assignor, MemberSubscription, TopicPartitions
from kstream.groups.assignors.range import assign_range
from kstream.groups.assignors.uniform import assign_uniform

__all__ = ["ASSIGNORS", "Assignor", "MemberSubscription", "TopicPartitions"]

ASSIGNORS: dict[str, Assignor] = {"uniform": assign_uniform, "range": assign_range}
"""By the names that `group.consumer.assignors` and members know them by; the first is Kafka's default."""
