"""What a handler knows besides the request: the broker, and who is asking by which way."""

from __future__ import annotations

from kstream.broker.broker import Broker


class RequestContext:
    """One for each connection, reused: a connection has at most one request in progress."""

    __slots__ = (
        "_client_id_bytes",
        "api_version",
        "broker",
        "client_id",
        "client_software_name",
        "client_software_version",
        "connection_id",
        "listener",
        "local_address",
        "peer_address",
        "principal",
        "produce_requests_seen",
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
        self.api_version = api_version
        self.client_id = client_id
        self._client_id_bytes = b""
        self.client_software_name = ""
        self.client_software_version = ""
        self.connection_id = connection_id
        self.principal = "User:ANONYMOUS"
        self.produce_requests_seen = 0

    def set_client_id(self, encoded: bytes) -> None:
        """Take the client id of a request's header; a client sends the same one each time."""
        if encoded != self._client_id_bytes or self.client_id is None:
            self._client_id_bytes = encoded
            self.client_id = encoded.decode("utf-8", "replace")

    def now_ms(self) -> int:
        return self.broker.clock.now_ms()
