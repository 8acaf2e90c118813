"""Incremental fetch sessions (KIP-227): the broker remembers what a consumer fetches, so that a request names
only what changed and an answer only what is new. The cache is bounded; whoever finds no place fetches without
a session.

A session knows which of its partitions may have news: those that were not read to their end, had an error, or
were written to, trimmed, deleted or asked for anew since. Only they are looked at, so that a request costs
what changed and not what the session has.

Epochs: -1 asks for a full fetch and ends the session, 0 asks for a new session, 1 and up continue one and
must come in order (71 if not, 70 if the session is gone).
"""

from __future__ import annotations

import random
from collections.abc import Collection, Iterable, Iterator
from operator import attrgetter
from typing import TYPE_CHECKING

from kstream.broker.waiters import AppendWaiter
from kstream.errors import ApiError, ErrorCode
from kstream.wire.messages.fetch import FetchRequest

if TYPE_CHECKING:
    from kstream.broker.partition import Partition

FINAL_EPOCH = -1
INITIAL_EPOCH = 0
_EPOCH_MAX = 2**31 - 1
_EVICTION_MS = 120_000

PARTITIONS_MAX = 250_000
"""A partition takes about 400 bytes. Kafka does not bound them: there, a thousand sessions with a hundred
thousand partitions each, which need not exist, are a client's to make.
"""

TopicKey = str | bytes
"""A topic's name up to version 12, its id from version 13 on."""


class FetchedPartition:
    """What one consumer wants of one partition, and what it was last told."""

    __slots__ = (
        "current_leader_epoch",
        "fetch_offset",
        "index",
        "last_fetched_epoch",
        "partition",
        "place",
        "sent_high_watermark",
        "sent_log_start_offset",
        "session",
        "size_bytes_max",
        "topic",
        "topic_name",
    )

    def __init__(
        self,
        topic: TopicKey,
        index: int,
        fetch_offset: int,
        size_bytes_max: int,
        current_leader_epoch: int,
        last_fetched_epoch: int,
    ) -> None:
        self.topic = topic
        self.topic_name = ""
        """What a topic that is asked for by id was called when it was last read."""
        self.index = index
        self.fetch_offset = fetch_offset
        self.size_bytes_max = size_bytes_max
        self.current_leader_epoch = current_leader_epoch
        self.last_fetched_epoch = last_fetched_epoch
        self.sent_high_watermark = -1
        self.sent_log_start_offset = -1
        self.session: FetchSession | None = None
        self.place = 0
        """Its turn in its session: who has a smaller one is read before."""
        self.partition: Partition | None = None
        """The partition that tells the session what happens to it."""

    def follow(self, partition: Partition) -> None:
        """Have the session told of what happens to the partition from now on."""
        if self.partition is not partition and self.session is not None and not self.session.is_over:
            self.leave()
            self.partition = partition
            partition.followers.add(self)

    def leave(self) -> None:
        """Be told nothing more."""
        if self.partition is not None:
            self.partition.followers.discard(self)
            self.partition = None

    def on_readable(self, size_bytes: int) -> None:
        """More bytes of the partition can be read. HOT."""
        session = self.session
        if session is not None:
            session.changed.add(self)
            for waiter in session.waiters:
                waiter.on_readable(size_bytes)

    def on_changed(self, *, wakes: bool) -> None:
        """The partition is not what it was; `wakes`: who waits must look again now."""
        session = self.session
        if session is not None:
            session.changed.add(self)
            if wakes:
                for waiter in session.waiters:
                    waiter.on_changed()

    def take_news(self, high_watermark: int, log_start_offset: int, *, is_news: bool) -> bool:
        """Whether an incremental answer must name this partition; remembers what it then says.

        `is_news`: there are records, or the logs diverge. After an error (`high_watermark` -1) the partition
        is named again once it is well, though nothing else changed.
        """
        if (
            high_watermark == self.sent_high_watermark
            and log_start_offset == self.sent_log_start_offset
            and high_watermark >= 0
            and not is_news
        ):
            return False
        self.sent_high_watermark = high_watermark
        self.sent_log_start_offset = log_start_offset
        return True


class FetchSession:
    """One consumer's remembered partitions, in the order in which they are served next."""

    __slots__ = (
        "_last_place",
        "_reader",
        "changed",
        "created_ms",
        "epoch",
        "id",
        "is_over",
        "partitions",
        "used_ms",
        "uses_topic_ids",
        "waiters",
    )

    def __init__(self, session_id: int, *, uses_topic_ids: bool, now_ms: int) -> None:
        self.id = session_id
        self.epoch = 1
        self.uses_topic_ids = uses_topic_ids
        self.partitions: dict[tuple[TopicKey, int], FetchedPartition] = {}
        self.changed: set[FetchedPartition] = set()
        """Those that must be looked at: of the others is known that they have nothing new."""
        self.waiters: set[AppendWaiter] = set()
        """Told of what happens to any partition of the session."""
        self.is_over = False
        """Whether the cache has forgotten it, so that nobody tells it anything."""
        self.created_ms = now_ms
        self.used_ms = now_ms
        self._last_place = 0
        self._reader: tuple[int, bool] | None = None

    def add(self, wanted: FetchedPartition) -> None:
        """Fetch a partition from now on, or otherwise than before."""
        key = (wanted.topic, wanted.index)
        known = self.partitions.get(key)
        wanted.session = self
        if known is None:
            self._last_place += 1
            wanted.place = self._last_place
        else:
            wanted.place = known.place
            wanted.topic_name = known.topic_name
            wanted.sent_high_watermark = known.sent_high_watermark
            wanted.sent_log_start_offset = known.sent_log_start_offset
            if known.partition is not None:
                wanted.follow(known.partition)
            self._drop(known)
        self.partitions[key] = wanted
        self.changed.add(wanted)

    def update(self, request: FetchRequest) -> None:
        """Add, change and forget partitions as an incremental request says."""
        for wanted in _requested(request, uses_topic_ids=self.uses_topic_ids):
            self.add(wanted)
        for forgotten in request.forgotten_topics_data:
            topic: TopicKey = forgotten.topic_id if self.uses_topic_ids else forgotten.topic
            for index in forgotten.partitions:
                known = self.partitions.pop((topic, index), None)
                if known is not None:
                    self._drop(known)

    def _drop(self, known: FetchedPartition) -> None:
        known.leave()
        known.session = None
        self.changed.discard(known)

    def note_reader(self, request: FetchRequest) -> None:
        """What is at its end for one kind of reader may not be for another: then look at everything."""
        reader = _reader_of(request)
        if reader != self._reader:
            self._reader = reader
            self.changed.update(self.partitions.values())

    def to_look_at(self) -> list[FetchedPartition]:
        """Those that may have news, in the order in which they are served."""
        partitions: Collection[FetchedPartition] = self.partitions.values() if self.is_over else self.changed
        return sorted(partitions, key=_place)

    def settle(self, wanted: FetchedPartition) -> None:
        """All that there is to say of it was said, until it changes."""
        self.changed.discard(wanted)

    def on_failed(self, wanted: FetchedPartition) -> None:
        """An answer says an error in place of what was read: it is named again once it is well."""
        wanted.sent_high_watermark = -1
        self.changed.add(wanted)

    def move_to_end(self, partition: FetchedPartition) -> None:
        """Who got data now is served last next time, so that a full answer starves nobody."""
        # A later request of the session may have forgotten it while this one waited, or asked for it anew.
        known = self.partitions.get((partition.topic, partition.index))
        if known is not None:
            self._last_place += 1
            known.place = self._last_place

    def end(self) -> None:
        """Nothing tells it of changes any more; who waits finds out by itself."""
        self.is_over = True
        for wanted in self.partitions.values():
            wanted.leave()
        for waiter in self.waiters:
            waiter.on_changed()


class FetchPlan:
    """What to read for one request, and the session it belongs to, if any."""

    __slots__ = ("is_incremental", "partitions", "session")

    def __init__(
        self, partitions: list[FetchedPartition], session: FetchSession | None, *, is_incremental: bool
    ) -> None:
        self.partitions = partitions
        self.session = session
        self.is_incremental = is_incremental

    @property
    def all_partitions(self) -> Collection[FetchedPartition]:
        """Everything that is fetched, also what need not be looked at."""
        return self.partitions if self.session is None else self.session.partitions.values()

    def has_others_than(self, looked_at: Iterable[FetchedPartition]) -> bool:
        """Whether some that were not looked at have changed meanwhile."""
        if self.session is None or not self.is_incremental or self.session.is_over:
            return False
        return not self.session.changed.issubset(looked_at)

    def look_again(self) -> None:
        """Time has passed: what changed in it must be looked at, too."""
        if self.is_incremental and self.session is not None:
            self.partitions = self.session.to_look_at()


class FetchSessions:
    """The cache of sessions, at most `slots_max` of them (`max.incremental.fetch.session.cache.slots`), which
    together remember at most `partitions_max` partitions.
    """

    def __init__(self, slots_max: int, partitions_max: int = PARTITIONS_MAX) -> None:
        self._slots_max = slots_max
        self._partitions_max = partitions_max
        self._partitions = 0
        # In the order of last use: the first is the stalest.
        self._sessions: dict[int, FetchSession] = {}

    def __len__(self) -> int:
        return len(self._sessions)

    def __iter__(self) -> Iterator[FetchSession]:
        return iter(self._sessions.values())

    def waiting(self) -> int:
        """How many requests wait for something in their sessions."""
        return sum(len(session.waiters) for session in self._sessions.values())

    def peek(self, session_id: int) -> FetchSession | None:
        """A session, which is not used by looking at it."""
        return self._sessions.get(session_id)

    def plan(self, request: FetchRequest, *, uses_topic_ids: bool, now_ms: int) -> FetchPlan:
        """Resolve the request's session.

        Raises:
            ApiError: FETCH_SESSION_ID_NOT_FOUND, INVALID_FETCH_SESSION_EPOCH or FETCH_SESSION_TOPIC_ID_ERROR.
        """
        if request.session_epoch in (FINAL_EPOCH, INITIAL_EPOCH):
            self._forget(self._sessions.get(request.session_id))
            partitions = _requested_once(request, uses_topic_ids=uses_topic_ids)
            session = None
            if request.session_epoch == INITIAL_EPOCH:
                session = self._create(partitions, uses_topic_ids=uses_topic_ids, now_ms=now_ms)
            if session is not None:
                session.note_reader(request)
            return FetchPlan(partitions, session, is_incremental=False)
        session = self._sessions.get(request.session_id)
        if session is None:
            raise ApiError(ErrorCode.FETCH_SESSION_ID_NOT_FOUND)
        if session.epoch != request.session_epoch:
            raise ApiError(ErrorCode.INVALID_FETCH_SESSION_EPOCH)
        if session.uses_topic_ids != uses_topic_ids:
            raise ApiError(ErrorCode.FETCH_SESSION_TOPIC_ID_ERROR)
        if request.topics or request.forgotten_topics_data:
            before = len(session.partitions)
            session.update(request)
            self._partitions += len(session.partitions) - before
            if self._partitions > self._partitions_max and len(session.partitions) > before:
                self._forget(session)
                raise ApiError(ErrorCode.FETCH_SESSION_ID_NOT_FOUND)
        if not session.partitions:
            self._forget(session)
            return FetchPlan([], None, is_incremental=False)
        self._sessions[session.id] = self._sessions.pop(session.id)
        session.used_ms = now_ms
        session.epoch = 1 if session.epoch == _EPOCH_MAX else session.epoch + 1
        session.note_reader(request)
        return FetchPlan(session.to_look_at(), session, is_incremental=True)

    def _create(
        self, partitions: list[FetchedPartition], *, uses_topic_ids: bool, now_ms: int
    ) -> FetchSession | None:
        if len(partitions) > self._partitions_max:
            return None
        if len(self._sessions) >= self._slots_max and not self._evict(len(partitions), now_ms):
            return None
        while self._partitions + len(partitions) > self._partitions_max:
            if not self._evict_unused(now_ms):
                return None
        session_id = 0
        while session_id == 0 or session_id in self._sessions:
            session_id = random.randint(1, 2**31 - 1)
        session = FetchSession(session_id, uses_topic_ids=uses_topic_ids, now_ms=now_ms)
        for partition in partitions:
            session.add(partition)
        self._sessions[session_id] = session
        self._partitions += len(session.partitions)
        return session

    def _forget(self, session: FetchSession | None) -> None:
        if session is not None:
            del self._sessions[session.id]
            self._partitions -= len(session.partitions)
            session.end()

    def _evict(self, size: int, now_ms: int) -> bool:
        """Make room: the stalest unused session, or else an old one that saves less than the new one."""
        if not self._sessions:
            return False
        if self._evict_unused(now_ms):
            return True
        smallest = min(self._sessions.values(), key=lambda session: len(session.partitions))
        if now_ms - smallest.created_ms > _EVICTION_MS and len(smallest.partitions) < size:
            self._forget(smallest)
            return True
        return False

    def _evict_unused(self, now_ms: int) -> bool:
        stalest = next(iter(self._sessions.values()), None)
        if stalest is None or now_ms - stalest.used_ms <= _EVICTION_MS:
            return False
        self._forget(stalest)
        return True


_place = attrgetter("place")


def _reader_of(request: FetchRequest) -> tuple[int, bool]:
    """Isolation level, and whether it is a replica."""
    return request.isolation_level, request.replica_id >= 0 or request.replica_state.replica_id >= 0


def _requested_once(request: FetchRequest, *, uses_topic_ids: bool) -> list[FetchedPartition]:
    """What a full fetch asks for; of a partition that is named twice, the last at the place of the first."""
    partitions = list(_requested(request, uses_topic_ids=uses_topic_ids))
    if len(partitions) > 1:
        once = {(wanted.topic, wanted.index): wanted for wanted in partitions}
        if len(once) < len(partitions):
            return list(once.values())
    return partitions


def _requested(request: FetchRequest, *, uses_topic_ids: bool) -> Iterator[FetchedPartition]:
    for topic in request.topics:
        key: TopicKey = topic.topic_id if uses_topic_ids else topic.topic
        for wanted in topic.partitions:
            yield FetchedPartition(
                key,
                wanted.partition,
                wanted.fetch_offset,
                wanted.partition_max_bytes,
                wanted.current_leader_epoch,
                wanted.last_fetched_epoch,
            )
