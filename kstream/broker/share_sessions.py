"""Share sessions (KIP-932): the broker remembers what a member of a share group fetches, so that a
request names only what changed.

A session belongs to a group's member, and to the connection that began it: when that ends, so does the
session, and the records the member has acquired are released. Epochs: 0 asks for a new session, 1 and up
continue one and must come in order (123 if not, 122 if the session is gone), -1 ends it. The sessions are
bounded; whoever finds no place is told so (133).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from kstream.errors import ApiError, ErrorCode

INITIAL_EPOCH, FINAL_EPOCH = 0, -1
_EPOCH_MAX = 0x7FFFFFFF


class ShareSessionKey(NamedTuple):
    """Whose session it is."""

    group_id: str
    member_id: str


class SessionPartition:
    """A partition that a session fetches."""

    __slots__ = ("index", "is_news", "topic_id", "topic_name")

    def __init__(self, topic_id: bytes, index: int, topic_name: str | None, *, is_news: bool) -> None:
        self.topic_id = topic_id
        self.index = index
        self.topic_name = topic_name
        """None if nobody knew the topic when it was added."""
        self.is_news = is_news
        """Whether the next answer names it even if there is nothing to say: it is new, or something was
        wrong.
        """


class ShareSession:
    """One member's session."""

    __slots__ = ("connection_id", "epoch", "key", "partitions")

    def __init__(self, key: ShareSessionKey, connection_id: int) -> None:
        self.key = key
        self.connection_id = connection_id
        self.epoch = 1
        """That of the next request."""
        self.partitions: dict[tuple[bytes, int], SessionPartition] = {}

    def add(self, wanted: Iterable[tuple[bytes, int, str | None]], *, is_news: bool) -> None:
        """Fetch these from now on, too."""
        for topic_id, index, topic_name in wanted:
            key = (topic_id, index)
            if key not in self.partitions:
                self.partitions[key] = SessionPartition(topic_id, index, topic_name, is_news=is_news)

    def forget(self, unwanted: Iterable[tuple[bytes, int]]) -> None:
        """Fetch these no more."""
        for key in unwanted:
            self.partitions.pop(key, None)

    def move_to_end(self, partition: SessionPartition) -> None:
        """It had its turn: the others come first next time."""
        key = (partition.topic_id, partition.index)
        self.partitions[key] = self.partitions.pop(key)


class ShareSessions:
    """All sessions of this broker, at most `size_max`."""

    def __init__(self, size_max: int) -> None:
        self._size_max = size_max
        self._sessions: dict[ShareSessionKey, ShareSession] = {}
        self._of_connections: dict[int, set[ShareSessionKey]] = {}
        self._members: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._sessions)

    def has_members(self, group_id: str) -> bool:
        """Whether any member of a group has a session here."""
        return group_id in self._members

    def member_count(self, group_id: str) -> int:
        """How many members of a group have a session here."""
        return self._members.get(group_id, 0)

    def begin(self, key: ShareSessionKey, connection_id: int) -> ShareSession:
        """A new session; the member's old one, if there is one, is forgotten, and what it has acquired kept.

        Raises:
            ApiError: SHARE_SESSION_LIMIT_REACHED.
        """
        self.end(key)
        if len(self._sessions) >= self._size_max:
            raise ApiError(ErrorCode.SHARE_SESSION_LIMIT_REACHED)
        session = self._sessions[key] = ShareSession(key, connection_id)
        self._of_connections.setdefault(connection_id, set()).add(key)
        self._members[key.group_id] = self._members.get(key.group_id, 0) + 1
        return session

    def get(self, key: ShareSessionKey) -> ShareSession:
        """Raises ApiError SHARE_SESSION_NOT_FOUND."""
        session = self._sessions.get(key)
        if session is None:
            raise ApiError(ErrorCode.SHARE_SESSION_NOT_FOUND)
        return session

    def try_go_on(self, key: ShareSessionKey, epoch: int) -> bool:
        """Do as `go_on`, if a request with this epoch continues a session; whether it does. HOT."""
        session = self._sessions.get(key)
        if session is None or session.epoch != epoch:
            return False
        session.epoch = 1 if epoch == _EPOCH_MAX else epoch + 1
        return True

    def go_on(self, key: ShareSessionKey, epoch: int) -> ShareSession:
        """The session that a request with this epoch continues.

        Raises:
            ApiError: SHARE_SESSION_NOT_FOUND, INVALID_SHARE_SESSION_EPOCH.
        """
        session = self.get(key)
        if not self.try_go_on(key, epoch):
            raise ApiError(ErrorCode.INVALID_SHARE_SESSION_EPOCH)
        return session

    def end(self, key: ShareSessionKey) -> ShareSession | None:
        """Forget a session; returns what it was."""
        session = self._sessions.pop(key, None)
        if session is None:
            return None
        keys = self._of_connections.get(session.connection_id)
        if keys is not None:
            keys.discard(key)
            if not keys:
                del self._of_connections[session.connection_id]
        self._members[key.group_id] -= 1
        if not self._members[key.group_id]:
            del self._members[key.group_id]
        return session

    def end_connection(self, connection_id: int) -> list[ShareSession]:
        """Forget all sessions of a connection; returns what they were."""
        keys = self._of_connections.get(connection_id)
        if not keys:
            return []
        return [session for key in list(keys) if (session := self.end(key)) is not None]
