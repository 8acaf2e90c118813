"""What a handler knows besides the request: the broker, and who is asking by which way."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from kstream.broker.broker import Broker
from kstream.groups.settings import Caller


class Repeats(Protocol):
    """Answers requests that are like others before them."""

    async def answer(self, frame: memoryview, context: RequestContext) -> list[Any] | None:
        """None, with nothing done, for one that is not."""
        ...


class RequestContext:
    """One for each connection, reused: a connection has at most one request in progress."""

    __slots__ = (
        "acks",
        "after_answer",
        "api_version",
        "batches_produced",
        "beat",
        "broker",
        "client_id",
        "client_software_name",
        "client_software_version",
        "connection_id",
        "listener",
        "local_address",
        "peer_address",
        "principal",
        "repeats_to",
        "stats",
        "throttle_ms",
    )

    def __init__(
        self,
        broker: Broker,
        *,
        listener: str = "PLAINTEXT",
        local_address: tuple[str, int] = ("127.0.0.1", 9092),
        peer_address: tuple[str, int] = ("127.0.0.1", 0),
        api_version: int = 0,
        client_id: str | None = None,
        connection_id: int = 0,
    ) -> None:
        self.broker = broker
        self.listener = listener
        self.local_address = local_address
        """Where this client reached the server: what Metadata advertises unless a listener says otherwise."""
        self.peer_address = peer_address
        self.acks: Repeats | None = None
        """Answers acknowledgements that are like this connection's earlier ones (`server.share_acks`)."""
        self.after_answer: Callable[[], Awaitable[None]] | None = None
        """What the request in progress still does once its answer is on its way, before anything else."""
        self.api_version = api_version
        self.client_id = client_id
        self.client_software_name = ""
        self.client_software_version = ""
        self.connection_id = connection_id
        self.principal = "User:ANONYMOUS"
        self.batches_produced = 0
        self.beat: Callable[[memoryview, RequestContext], list[Any] | None] | None = None
        """Answers the heartbeat that this connection sent last, if it comes again (`server.beats`)."""
        self.repeats_to = 0
        """`server.repeats` says what of."""
        self.stats = broker.stats.unserved
        """What counts requests like the one in progress."""
        self.throttle_ms = 0
        """For how long this client is not listened to once it has its answer: it is above its quota."""

    def now_ms(self) -> int:
        return self.broker.clock.now_ms()

    def labels(self) -> dict[str, str]:
        """Who sends this request, as subscriptions to clients' metrics match it (KIP-714)."""
        return {
            "client_id": self.client_id or "",
            "client_software_name": self.client_software_name,
            "client_software_version": self.client_software_version,
            "client_source_address": self.peer_address[0],
            "client_source_port": str(self.peer_address[1]),
        }

    def caller(self) -> Caller:
        """Who sends this request, as groups keep it: the address in the way Java prints one."""
        return Caller(self.client_id or "", f"/{self.peer_address[0]}", self.api_version)
