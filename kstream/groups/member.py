"""A member of a classic group."""

from __future__ import annotations

from collections.abc import Container, Mapping


class ClassicMember:
    """One member: what it said when it joined, what it was assigned, and which request of it waits."""

    __slots__ = (
        "assignment",
        "awaiting_join",
        "awaiting_sync",
        "client_host",
        "client_id",
        "instance_id",
        "is_new",
        "member_id",
        "protocols",
        "rebalance_timeout_ms",
        "session_timeout_ms",
    )

    def __init__(
        self,
        member_id: str,
        *,
        instance_id: str | None,
        client_id: str,
        client_host: str,
        rebalance_timeout_ms: int,
        session_timeout_ms: int,
        protocols: Mapping[str, bytes],
        assignment: bytes = b"",
    ) -> None:
        self.member_id = member_id
        self.instance_id = instance_id
        self.client_id = client_id
        self.client_host = client_host
        self.rebalance_timeout_ms = rebalance_timeout_ms
        self.session_timeout_ms = session_timeout_ms
        self.protocols = protocols
        """Metadata by protocol name, the preferred protocol first."""
        self.assignment = assignment
        self.awaiting_join: object | None = None
        """Token of its JoinGroup that has no answer yet."""
        self.awaiting_sync: object | None = None
        self.is_new = False
        """Whether its first JoinGroup is still waiting: until it is answered the member cannot send
        heartbeats, and can be expired while it waits.
        """

    def __repr__(self) -> str:
        return f"ClassicMember({self.member_id!r})"

    @property
    def has_satisfied_heartbeat(self) -> bool:
        """Whether a request of this member that waits here stands for its heartbeats."""
        return not self.is_new and (self.awaiting_join is not None or self.awaiting_sync is not None)

    def has_protocols(self, protocols: Mapping[str, bytes]) -> bool:
        """Whether these are its protocols with their metadata, in the same order."""
        return list(self.protocols.items()) == list(protocols.items())

    def vote(self, candidates: Container[str]) -> str:
        """The protocol it prefers among those that all members have. Raises ValueError if it has none."""
        for name in self.protocols:
            if name in candidates:
                return name
        raise ValueError(f"{self.member_id} has none of the protocols {candidates}")
