"""Incremental fetch sessions (KIP-227): the broker remembers what a consumer fetches, so that a request names
only what changed and an answer only what is new. The cache is bounded; whoever finds no place fetches without
a session.

Epochs: -1 asks for a full fetch and ends the session, 0 asks for a new session, 1 and up continue one and
must come in order (71 if not, 70 if the session is gone).
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from kstream.errors import ApiError, ErrorCode
from kstream.wire.messages.fetch import FetchRequest

FINAL_EPOCH = -1
INITIAL_EPOCH = 0
_EPOCH_MAX = 2**31 - 1
_EVICTION_MS = 120_000

PARTITIONS_MAX = 250_000
"""A partition takes about 300 bytes. Kafka does not bound them: there, a thousand sessions with a hundred
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
        "sent_high_watermark",
        "sent_log_start_offset",
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

    __slots__ = ("created_ms", "epoch", "id", "partitions", "used_ms", "uses_topic_ids")

    def __init__(self, session_id: int, *, uses_topic_ids: bool, now_ms: int) -> None:
        self.id = session_id
        self.epoch = 1
        self.uses_topic_ids = uses_topic_ids
        self.partitions: dict[tuple[TopicKey, int], FetchedPartition] = {}
        self.created_ms = now_ms
        self.used_ms = now_ms

    def update(self, request: FetchRequest) -> None:
        """Add, change and forget partitions as an incremental request says."""
        for wanted in _requested(request, uses_topic_ids=self.uses_topic_ids):
            key = (wanted.topic, wanted.index)
            known = self.partitions.get(key)
            if known is not None:
                wanted.topic_name = known.topic_name
                wanted.sent_high_watermark = known.sent_high_watermark
                wanted.sent_log_start_offset = known.sent_log_start_offset
            self.partitions[key] = wanted
        for forgotten in request.forgotten_topics_data:
            topic: TopicKey = forgotten.topic_id if self.uses_topic_ids else forgotten.topic
            for index in forgotten.partitions:
                self.partitions.pop((topic, index), None)

    def move_to_end(self, partition: FetchedPartition) -> None:
        """Who got data now is served last next time, so that a full answer starves nobody."""
        key = (partition.topic, partition.index)
        known = self.partitions.pop(key, None)
        # A later request of the session may have forgotten it while this one waited.
        if known is not None:
            self.partitions[key] = known


class FetchPlan:
    """What to read for one request, and the session it belongs to, if any."""

    __slots__ = ("is_incremental", "partitions", "session")

    def __init__(
        self, partitions: list[FetchedPartition], session: FetchSession | None, *, is_incremental: bool
    ) -> None:
        self.partitions = partitions
        self.session = session
        self.is_incremental = is_incremental


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
        return FetchPlan(list(session.partitions.values()), session, is_incremental=True)

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
            session.partitions[(partition.topic, partition.index)] = partition
        self._sessions[session_id] = session
        self._partitions += len(session.partitions)
        return session

    def _forget(self, session: FetchSession | None) -> None:
        if session is not None:
            del self._sessions[session.id]
            self._partitions -= len(session.partitions)

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
