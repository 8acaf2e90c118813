"""The group coordinator of one partition of `__consumer_offsets`."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator

from kstream.coordinator.outcome import CoordinatorRecord, Outcome, TimerKey
from kstream.groups import rebalance
from kstream.groups.cluster import Cluster
from kstream.groups.consumer import regexes, timers
from kstream.groups.consumer.group import ConsumerGroup
from kstream.groups.consumer.removal import on_member_timer
from kstream.groups.consumer.states import MemberState
from kstream.groups.expiry import EXPIRY, expire
from kstream.groups.settings import GroupSettings
from kstream.groups.share.group import ShareGroup
from kstream.groups.share.heartbeat import on_session_timer
from kstream.groups.share.timers import SESSION as SHARE_SESSION
from kstream.groups.share.timers import session_key as share_session_key
from kstream.groups.state import GroupState, random_member_id
from kstream.groups.states import ClassicState


class GroupShard:
    """State with its life: replay, loading, timers. Requests are functions on `state`.

    Satisfies `kstream.coordinator.shard.Shard`.
    """

    def __init__(
        self,
        settings: GroupSettings,
        new_member_id: Callable[[str | None], str] = random_member_id,
        cluster: Cluster | None = None,
    ) -> None:
        self.state = GroupState(settings, new_member_id, cluster)

    def replay(self, record: CoordinatorRecord, *, producer_id: int = -1) -> None:
        self.state.replay(record, producer_id)

    def replay_end_transaction(self, producer_id: int, *, is_commit: bool) -> None:
        self.state.end_transaction(producer_id, is_commit=is_commit)

    def on_loaded(self, now_ms: int) -> Outcome:
        """Take up work: members that were there get a whole session to show that they still are."""
        state = self.state
        state.rebuild()
        out = Outcome()
        out.timers[(EXPIRY,)] = state.settings.offsets_retention_check_interval_ms
        for group in state.groups.values():
            for member in group.members.values():
                rebalance.renew_session(group, member, out)
            if len(group.members) > state.settings.max_size:
                reason = f"{len(group.members)} members are more than group.max.size"
                rebalance.begin_rebalance(group, reason, state.settings, now_ms, out)
        for group_id, consumers in state.consumer_groups.items():
            for consumer in consumers.members.values():
                session = timers.session_key(group_id, consumer.member_id)
                out.timers[session] = state.session_timeout_ms(group_id)
                if consumer.state is MemberState.UNREVOKED_PARTITIONS:
                    revocation = timers.rebalance_key(group_id, consumer.member_id)
                    out.timers[revocation] = consumer.rebalance_timeout_ms
        for group_id, sharers in state.share_groups.items():
            timeout_ms = state.cluster.share_config(group_id).session_timeout_ms
            for member_id in sharers.members:
                out.timers[share_session_key(group_id, member_id)] = timeout_ms
        return out

    def on_topics_changed(self, names: Collection[str]) -> None:
        """Topics were created, changed or deleted: who subscribes to one looks at them again."""
        groups: list[ConsumerGroup | ShareGroup] = [
            *self.state.consumer_groups.values(),
            *self.state.share_groups.values(),
        ]
        for group in groups:
            if any(group.subscribes_to(name) for name in names):
                group.refreshed_epoch = None

    def on_timer(self, key: TimerKey, now_ms: int) -> Outcome:
        state = self.state
        if key[0] == EXPIRY:
            return expire(state, now_ms)
        if key[0] in timers.KINDS:
            return on_member_timer(state, key, now_ms)
        if key[0] == SHARE_SESSION:
            return on_session_timer(state, key)
        out = Outcome()
        if key[0] == regexes.RESOLVE:
            state.resolving.discard(str(key[1]))
            consumers = state.consumer_groups.get(str(key[1]))
            return out if consumers is None else regexes.resolve(consumers, state.cluster, now_ms)
        kind, group_id = key[0], key[1]
        group = state.groups.get(str(group_id))
        if group is None:
            return out
        if kind == rebalance.JOIN:
            rebalance.on_join_timer(group, state.settings, now_ms, out)
        elif kind == rebalance.SYNC:
            rebalance.expire_sync(group, state.settings, now_ms, out)
        elif kind == rebalance.SESSION:
            rebalance.expire_session(group, str(key[2]), state.settings, now_ms, out)
        return out

    def waiting(self) -> Iterator[object]:
        for group in self.state.groups.values():
            if group.state is ClassicState.EMPTY:
                continue
            for member in group.members.values():
                for token in (member.awaiting_join, member.awaiting_sync):
                    if token is not None:
                        yield token
