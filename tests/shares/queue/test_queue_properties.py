"""Whatever workers, time and restarts do, a queue keeps its promises: checked against what was delivered."""

from __future__ import annotations

from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from kstream.records.record import Record
from kstream.shares.limits import AcknowledgeType, ShareLimits
from kstream.shares.queue.entries import entry_of
from kstream.shares.queue.rules import QueueRules
from tests.shares.queue.driving import Driver, record

RULES = st.builds(
    lambda **chosen: QueueRules(**chosen),  # all that is not chosen is as it is by default
    backoff_ms=st.sampled_from([0, 500]),
    ttl_ms=st.sampled_from([0, 5_000]),
    is_ordered_by_key=st.booleans(),
    has_one_owner=st.booleans(),
    aging_ms=st.sampled_from([0, 1_000]),
    lookahead=st.sampled_from([1, 5, 100]),
)
HEADERS = st.dictionaries(
    st.sampled_from(["kstream-delay-ms", "kstream-priority", "kstream-ttl-ms"]),
    st.integers(0, 9_000).map(str),
)
MEMBERS = st.sampled_from(["x", "y", "z"])


class Queues(RuleBasedStateMachine):
    """Members fetch, settle, die and are too slow; records come; the broker restarts."""

    @initialize(rules=RULES, deliveries=st.sampled_from([2, 5]))
    def begin(self, rules: QueueRules, deliveries: int) -> None:
        self.driver = Driver(rules, limits=ShareLimits(delivery_count_max=deliveries), batch_size=4)
        self.out: dict[int, tuple[str, float]] = {}
        self.delivered: dict[int, int] = {}
        self.done: set[int] = set()
        self.held_until: dict[int, float] = {}

    @rule(records=st.lists(st.tuples(st.sampled_from([None, "a", "b"]), HEADERS), min_size=1, max_size=8))
    def produce(self, records: list[tuple[str | None, dict[str, str]]]) -> None:
        now_ms = self.driver.now_ms
        for key, headers in records:
            offset = len(self.driver.log)
            self.driver.append(record(offset, key=key, timestamp_ms=now_ms, headers=headers))

    @rule(member=MEMBERS, count=st.integers(1, 5))
    def fetch(self, member: str, count: int) -> None:
        now_ms = self.driver.now_ms
        self._let_locks_expire()
        owners = {owner for owner, _ in self.out.values()}
        for offset in self.driver.fetch(member, count):
            each, rules = self._record(offset), self.driver.rules
            entry = entry_of(each, rules)
            assert offset not in self.out, "two members have it"
            assert offset not in self.done, "it was settled"
            assert entry.due_ms <= now_ms, "it came before its time"
            assert not entry.expires_ms or entry.expires_ms > now_ms, "it had expired"
            assert self.held_until.get(offset, 0) <= now_ms, "it came back before its backoff was over"
            if rules.is_ordered_by_key and each.key is not None:
                assert all(self._is_over(before) for before in self._of_key(each)), "it overtook one"
            if rules.has_one_owner:
                assert owners <= {member}, "two members have one partition"
            self.delivered[offset] = self.delivered.get(offset, 0) + 1
            assert self.delivered[offset] <= self.driver.limits.delivery_count_max
            self.out[offset] = (member, now_ms + self.driver.limits.lock_duration_ms)

    @rule(
        choose=st.randoms(use_true_random=False),
        kind=st.sampled_from([AcknowledgeType.ACCEPT, AcknowledgeType.RELEASE, AcknowledgeType.REJECT]),
        is_stored=st.booleans(),
    )
    def settle(self, choose: object, kind: AcknowledgeType, is_stored: bool) -> None:
        self.driver.expire()
        self._let_locks_expire()
        if not self.out:
            return
        offset = choose.choice(sorted(self.out))  # type: ignore[attr-defined]
        member, _ = self.out[offset]
        self.driver.settle(offset, kind=kind, member_id=member, is_stored=is_stored)
        if is_stored:
            self._comes_back(offset) if kind is AcknowledgeType.RELEASE else self.done.add(offset)
            del self.out[offset]

    @rule(member=MEMBERS)
    def leave(self, member: str) -> None:
        self.driver.expire()
        self._let_locks_expire()
        self.driver.leave(member)
        for offset in [offset for offset, (owner, _) in self.out.items() if owner == member]:
            self._comes_back(offset)
            del self.out[offset]

    @rule(by_ms=st.sampled_from([1, 400, 3_000, 31_000]))
    def wait(self, by_ms: int) -> None:
        self.driver.now_ms += by_ms
        self.driver.expire()
        self._let_locks_expire()

    @rule()
    def restart(self) -> None:
        self.driver.restart()
        # What was out is available again, at once; of unstored deliveries nobody knows.
        self.out.clear()
        for offset in list(self.delivered):
            stored = [each for each in self.driver.stored if each.first_offset <= offset <= each.last_offset]
            self.delivered[offset] = stored[0].delivery_count if stored else 0

    @invariant()
    def the_window_says_the_same(self) -> None:
        if not hasattr(self, "driver"):
            return
        held = {
            offset
            for batch in self.driver.window.batches
            for run in batch.runs
            if run.member_id
            for offset in range(run.first, run.last + 1)
        }
        assert held == set(self.out)

    def teardown(self) -> None:
        """Workers that behave settle everything in the end."""
        if not hasattr(self, "driver") or not self.driver.log:
            return
        for member in "xyz":
            self.leave(member)
        self.driver.now_ms += 1_000_000
        self.driver.drain(count=3)
        assert self.driver.window.start_offset == len(self.driver.log)

    def _record(self, offset: int) -> Record:
        return self.driver.log[offset]

    def _of_key(self, each: Record) -> list[int]:
        return [before.offset for before in self.driver.log[: each.offset] if before.key == each.key]

    def _is_over(self, offset: int) -> bool:
        """Whether it was settled, or given up: for its age, or one delivery too many."""
        entry = entry_of(self._record(offset), self.driver.rules)
        is_expired = bool(entry.expires_ms) and entry.expires_ms <= self.driver.now_ms
        is_used_up = self.delivered.get(offset, 0) >= self.driver.limits.delivery_count_max
        return offset in self.done or (offset not in self.out and (is_expired or is_used_up))

    def _comes_back(self, offset: int) -> None:
        self.held_until[offset] = self.driver.now_ms + self.driver.rules.backoff_ms

    def _let_locks_expire(self) -> None:
        for offset, (_, deadline_ms) in list(self.out.items()):
            if deadline_ms <= self.driver.now_ms:
                del self.out[offset]
                self._comes_back(offset)


TestQueues = Queues.TestCase
TestQueues.settings = settings(
    max_examples=60, stateful_step_count=40, phases=[p for p in Phase if p is not Phase.shrink]
)
