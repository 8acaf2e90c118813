"""A classic group: members, generation, and where it is in its rebalance.

Everything here is soft state but `written`, which only replay sets. The methods keep the counts in step;
what happens when is decided in `rebalance.py` and the files of the requests.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from kstream.coordinator.hashing import java_hash, java_map_order
from kstream.coordinator.outcome import Outcome
from kstream.errors import ApiError, ErrorCode
from kstream.groups.member import ClassicMember
from kstream.groups.states import ALLOWED, ClassicState
from kstream.groups.subscriptions import CONSUMER, topics_of
from kstream.records.schemas.group import GroupMetadataValue
from kstream.wire.messages.join_group import JoinGroupResponse, JoinGroupResponseMember
from kstream.wire.messages.sync_group import SyncGroupResponse


class ClassicGroup:
    """One group of the classic protocol, or one that only commits offsets (then `protocol_type` is None)."""

    __slots__ = (
        "_supporters",
        "awaiting_join",
        "generation",
        "group_id",
        "has_new_member",
        "initial_delay_left_ms",
        "leader_id",
        "members",
        "pending_joins",
        "pending_syncs",
        "previous_state",
        "protocol_name",
        "protocol_type",
        "state",
        "state_timestamp_ms",
        "static_members",
        "subscribed_topics",
        "written",
    )

    def __init__(self, group_id: str) -> None:
        self.group_id = group_id
        self.state = ClassicState.EMPTY
        self.previous_state = ClassicState.DEAD
        self.state_timestamp_ms: int | None = None
        self.generation = 0
        self.protocol_type: str | None = None
        self.protocol_name: str | None = None
        self.leader_id: str | None = None
        self.members: dict[str, ClassicMember] = {}
        self.static_members: dict[str, str] = {}
        """Member ids by group.instance.id."""
        self.pending_joins: set[str] = set()
        """Ids that were given out (MEMBER_ID_REQUIRED) and have not come back yet."""
        self.pending_syncs: set[str] = set()
        self.awaiting_join = 0
        """How many members have a JoinGroup waiting."""
        self.has_new_member = False
        """Whether somebody joined since the initial delay was last extended."""
        self.initial_delay_left_ms = 0
        """By how much the initial delay can still be extended."""
        self.subscribed_topics: frozenset[str] | None = None
        """What consumers subscribe to; None where that is not known."""
        self.written: GroupMetadataValue | None = None
        """What the log says of this group: hard state, set by replay alone. None for one that has only
        offsets.
        """
        self._supporters: Counter[str] = Counter()

    def __repr__(self) -> str:
        return f"ClassicGroup({self.group_id!r}, {self.state}, generation={self.generation})"

    # States

    def become(self, state: ClassicState, now_ms: int) -> None:
        """Go over to another state. Raises RuntimeError for an arrow that is not in the table."""
        if (self.state, state) not in ALLOWED:
            raise RuntimeError(f"group {self.group_id} cannot go from {self.state} to {state}")
        self.previous_state = self.state
        self.state = state
        self.state_timestamp_ms = now_ms

    @property
    def can_rebalance(self) -> bool:
        """Whether a rebalance can begin now; one that runs cannot begin again."""
        return (self.state, ClassicState.PREPARING_REBALANCE) in ALLOWED

    @property
    def is_empty(self) -> bool:
        return self.state is ClassicState.EMPTY

    @property
    def have_all_joined(self) -> bool:
        return len(self.members) == self.awaiting_join and not self.pending_joins

    @property
    def rebalance_timeout_ms(self) -> int:
        """The longest of the members'."""
        return max((member.rebalance_timeout_ms for member in self.members.values()), default=0)

    # Members

    def add(self, member: ClassicMember, token: object | None = None) -> None:
        """A new member, whose JoinGroup has the token."""
        self.members[member.member_id] = member
        if member.instance_id is not None:
            self.static_members[member.instance_id] = member.member_id
        if self.leader_id is None:
            self.leader_id = member.member_id
        self._supporters.update(member.protocols.keys())
        if token is not None:
            member.awaiting_join = token
            self.awaiting_join += 1
        self.pending_joins.discard(member.member_id)

    def remove(self, member_id: str) -> None:
        """Forget a member, or an id that was given out. The oldest remaining member takes over leading."""
        member = self.members.pop(member_id, None)
        if member is not None:
            self._supporters.subtract(member.protocols.keys())
            if member.awaiting_join is not None:
                self.awaiting_join -= 1
            if member.instance_id is not None:
                self.static_members.pop(member.instance_id, None)
        if self.leader_id == member_id:
            self.leader_id = next(iter(self.members), None)
        self.pending_joins.discard(member_id)
        self.pending_syncs.discard(member_id)

    def update(
        self,
        member: ClassicMember,
        *,
        protocols: Mapping[str, bytes],
        rebalance_timeout_ms: int,
        session_timeout_ms: int,
        token: object,
        out: Outcome,
    ) -> None:
        """A member joins again. If an older JoinGroup of it still waits, that one is sent away."""
        if member.awaiting_join is not None:
            stale = JoinGroupResponse(
                member_id=member.member_id, error_code=ErrorCode.REBALANCE_IN_PROGRESS, protocol_name=None
            )
            self.answer_join(member, stale, out)
        self._supporters.subtract(member.protocols.keys())
        self._supporters.update(protocols.keys())
        member.protocols = protocols
        member.rebalance_timeout_ms = rebalance_timeout_ms
        member.session_timeout_ms = session_timeout_ms
        member.awaiting_join = token
        self.awaiting_join += 1

    def replace_static(self, instance_id: str, new_id: str, out: Outcome) -> ClassicMember:
        """Give a static member a new id, and fence whoever still uses the old one."""
        old_id = self.static_members[instance_id]
        old = self.members[old_id]
        self.answer_join(
            old,
            JoinGroupResponse(
                member_id=old_id, error_code=ErrorCode.FENCED_INSTANCE_ID, protocol_name=None, leader=""
            ),
            out,
        )
        self.answer_sync(old, SyncGroupResponse(error_code=ErrorCode.FENCED_INSTANCE_ID), out)
        new = ClassicMember(
            new_id,
            instance_id=instance_id,
            client_id=old.client_id,
            client_host=old.client_host,
            rebalance_timeout_ms=old.rebalance_timeout_ms,
            session_timeout_ms=old.session_timeout_ms,
            protocols=old.protocols,
            assignment=old.assignment,
        )
        # In the old one's place: the order of members is the order of succession.
        self.members = {
            (new_id if member_id == old_id else member_id): (new if member_id == old_id else member)
            for member_id, member in self.members.items()
        }
        if self.leader_id == old_id:
            self.leader_id = new_id
        self.static_members[instance_id] = new_id
        if old_id in self.pending_syncs:
            self.pending_syncs.discard(old_id)
            self.pending_syncs.add(new_id)
        return new

    def check_member(self, member_id: str, instance_id: str | None) -> ClassicMember:
        """The member that a request speaks for.

        Raises:
            ApiError: UNKNOWN_MEMBER_ID, or FENCED_INSTANCE_ID where another member has the instance id.
        """
        if instance_id is not None:
            owner = self.static_members.get(instance_id)
            if owner is None:
                raise ApiError(ErrorCode.UNKNOWN_MEMBER_ID)
            if owner != member_id:
                raise ApiError(ErrorCode.FENCED_INSTANCE_ID)
        member = self.members.get(member_id)
        if member is None:
            raise ApiError(ErrorCode.UNKNOWN_MEMBER_ID)
        return member

    def elect_joined_leader(self) -> bool:
        """See that the leader is one who has joined; False if nobody has."""
        leader = self.members.get(self.leader_id or "")
        if leader is not None and leader.awaiting_join is not None:
            return True
        for member in self.members.values():
            if member.awaiting_join is not None:
                self.leader_id = member.member_id
                return True
        return False

    # Answers

    def answer_join(self, member: ClassicMember, response: JoinGroupResponse, out: Outcome) -> None:
        """Answer the member's JoinGroup, if one waits."""
        if member.awaiting_join is not None:
            out.reply(member.awaiting_join, response)
            member.awaiting_join = None
            self.awaiting_join -= 1

    def answer_sync(self, member: ClassicMember, response: SyncGroupResponse, out: Outcome) -> bool:
        """Answer the member's SyncGroup; False if none waits."""
        if member.awaiting_sync is None:
            return False
        out.reply(member.awaiting_sync, response)
        member.awaiting_sync = None
        return True

    def joined(self, member_id: str, members: Iterable[JoinGroupResponseMember] = ()) -> JoinGroupResponse:
        """The answer that lets a member go on to SyncGroup in this generation."""
        return JoinGroupResponse(
            generation_id=self.generation,
            protocol_type=self.protocol_type,
            protocol_name=self.protocol_name,
            leader=self.leader_id or "",
            member_id=member_id,
            members=list(members),
        )

    def members_for_leader(self) -> list[JoinGroupResponseMember]:
        """All members with their metadata, for the leader to assign."""
        name = self.protocol_name or ""
        return [
            JoinGroupResponseMember(
                member_id=member.member_id,
                group_instance_id=member.instance_id,
                metadata=member.protocols.get(name, b""),
            )
            for member in self.members.values()
        ]

    # Protocols

    def supports(self, protocol_type: str, protocols: Iterable[str]) -> bool:
        """Whether somebody with these protocols can be a member."""
        if self.is_empty:
            return bool(protocol_type) and any(True for _ in protocols)
        count = len(self.members)
        return self.protocol_type == protocol_type and any(
            self._supporters[name] == count for name in protocols
        )

    def select_protocol(self) -> str:
        """The protocol with most votes among those that all members have."""
        count = len(self.members)
        candidates = {name for name, supporters in self._supporters.items() if supporters == count}
        votes = Counter(member.vote(candidates) for member in self.members.values())
        most = max(votes.values())
        # Kafka takes the first in the order of a Java HashMap: so does this, to agree.
        return next(name for name in java_map_order(votes, java_hash) if votes[name] == most)

    def begin_generation(self, now_ms: int) -> None:
        """The next generation, of the members there are."""
        self.generation += 1
        self.pending_syncs.clear()
        if self.members:
            self.protocol_name = self.select_protocol()
            self.become(ClassicState.COMPLETING_REBALANCE, now_ms)
        else:
            self.protocol_name = None
            self.become(ClassicState.EMPTY, now_ms)
        self.note_subscriptions()

    def note_subscriptions(self) -> None:
        """Read what the members subscribe to, where they say it in the way of consumers."""
        self.subscribed_topics = self._read_subscriptions()

    def _read_subscriptions(self) -> frozenset[str] | None:
        if self.protocol_type != CONSUMER:
            return None
        if not self.members:
            return frozenset()
        if self.protocol_name is None:
            return None
        topics: set[str] = set()
        for member in self.members.values():
            found = topics_of(member.protocols.get(self.protocol_name, b""))
            if found is None:
                return None
            topics.update(found)
        return frozenset(topics)

    def subscribes_to(self, topic: str) -> bool:
        """Whether offsets of the topic are in use; consumers of whom nothing is known may use any."""
        if self.subscribed_topics is None:
            return self.protocol_type == CONSUMER
        return topic in self.subscribed_topics
