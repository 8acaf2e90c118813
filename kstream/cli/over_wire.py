"""Requests that the client library has no calls for, on connections of our own: to every broker, or to a
group's coordinator.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

from kstream.cli.connection import Cluster
from kstream.config.errors import ConfigError
from kstream.config.listeners import split_host_port
from kstream.errors import ErrorCode, KstreamError
from kstream.replay.errors import NoAnswer, Refused, ReplayError
from kstream.testing.client import ConnectionClosed, WireClient
from kstream.wire.messages.api_versions import ApiVersionsRequest
from kstream.wire.messages.find_coordinator import (
    Coordinator,
    FindCoordinatorRequest,
    FindCoordinatorResponse,
)
from kstream.wire.messages.metadata import MetadataRequest
from kstream.wire.schema import Message

_ASK_S = 15.0
_PAUSE_S = 0.1
_GROUP_KEY = 0
_FIRST_VERSION_OF_MANY = 4
"""Of FindCoordinator: before it, a request has one key, and the answer is one coordinator."""
_NOT_YET = {
    ErrorCode.COORDINATOR_NOT_AVAILABLE,
    ErrorCode.COORDINATOR_LOAD_IN_PROGRESS,
    ErrorCode.NOT_COORDINATOR,
}


class NotOffered(KstreamError):
    """The brokers do not know the request, or nobody can be asked in this way."""


class OverWire:
    """The brokers of a cluster. Connections stay open until it is closed."""

    def __init__(self, cluster: Cluster) -> None:
        self._bootstrap = cluster.bootstrap
        self._protocol = str(cluster.settings().get("security.protocol", "plaintext")).lower()
        self._stack = ExitStack()
        self._clients: dict[tuple[str, int], tuple[WireClient, dict[int, int]]] = {}

    def close(self) -> None:
        """Hang up everywhere."""
        self._stack.close()

    def everywhere(self, message: Message) -> list[Any]:
        """The answer of each broker. Raises NotOffered, NoAnswer."""
        with self._reaching():
            brokers = self._ask(self._first(), MetadataRequest(topics=[])).brokers
            return [self._ask((each.host, each.port), message) for each in brokers]

    def coordinator_of(self, group: str, message: Message, codes: Iterable[str] = ("error_code",)) -> Any:
        """The answer of a group's coordinator, once it is ready.

        `codes` are where its answer says that it is not: `groups.error_code` for those of a list.

        Raises NotOffered, NoAnswer, Refused.
        """
        end_s = time.monotonic() + _ASK_S
        with self._reaching():
            while True:
                found = self._find_coordinator(group)
                if found.error_code not in _NOT_YET:
                    check(found.error_code, found.error_message, f"find the coordinator of {group}")
                    answer = self._ask((found.host, found.port), message)
                    if not any(code in _NOT_YET for path in codes for code in _at(answer, path)):
                        return answer
                if time.monotonic() > end_s:
                    raise NoAnswer(self._bootstrap, f"the coordinator of {group} is not ready")
                time.sleep(_PAUSE_S)

    def _find_coordinator(self, group: str) -> Coordinator | FindCoordinatorResponse:
        first = self._first()
        if self._newest(first, FindCoordinatorRequest) < _FIRST_VERSION_OF_MANY:
            alone: FindCoordinatorResponse = self._ask(
                first, FindCoordinatorRequest(key=group, key_type=_GROUP_KEY)
            )
            return alone
        wanted = FindCoordinatorRequest(key_type=_GROUP_KEY, coordinator_keys=[group])
        found: Coordinator
        (found,) = self._ask(first, wanted).coordinators
        return found

    def _first(self) -> tuple[str, int]:
        """The first server that takes a connection. Raises OSError, ReplayError."""
        addresses = [_address(text) for text in self._bootstrap.split(",")]
        for address in addresses[:-1]:
            with suppress(OSError):
                self._client(address)
                return address
        return addresses[-1]

    def _ask(self, address: tuple[str, int], message: Message) -> Any:
        client, _ = self._client(address)
        return client.request(message, self._newest(address, type(message)))

    def _newest(self, address: tuple[str, int], kind: type[Message]) -> int:
        """The newest version of a request that both sides know. Raises NotOffered."""
        _, newest = self._client(address)
        version = min(newest.get(kind.API_KEY, -1), kind.VERSIONS.last)
        if version < kind.VERSIONS.first:
            raise NotOffered(f"{self._bootstrap} does not offer {kind.__name__}")
        return version

    def _client(self, address: tuple[str, int]) -> tuple[WireClient, dict[int, int]]:
        if self.refusal is not None:
            raise NotOffered(self.refusal)
        if address not in self._clients:
            client = self._stack.enter_context(
                WireClient(*address, client_id="kstream-cli", timeout_s=_ASK_S)
            )
            offered = client.request(ApiVersionsRequest(), 0).api_keys
            self._clients[address] = (client, {each.api_key: each.max_version for each in offered})
        return self._clients[address]

    @property
    def refusal(self) -> str | None:
        """Why nobody can be asked in this way, whoever it is; None if that is not known."""
        if self._protocol == "plaintext":
            return None
        return f"librdkafka has no call for it, and kstream asks over plaintext alone, not {self._protocol}"

    @contextmanager
    def _reaching(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise NoAnswer(self._bootstrap, (error.strerror or str(error)).lower()) from None
        except ConnectionClosed as error:
            raise NoAnswer(self._bootstrap, str(error)) from None


def _address(text: str) -> tuple[str, int]:
    try:
        host, port = split_host_port(text.strip().rpartition("://")[2], flag="--bootstrap")
    except ConfigError as error:
        raise ReplayError(str(error)) from None
    return host or "127.0.0.1", port


def check(code: int, message: str | None, what: str) -> None:
    """Raises Refused if an answer has an error; `what` was wanted."""
    if code != ErrorCode.NONE:
        raise Refused(f"cannot {what}: {message or ErrorCode(code).name}")


def _at(answer: Any, path: str) -> Iterator[int]:
    """The error codes of an answer at a path of fields; a list stands for each of its entries."""
    name, _, rest = path.partition(".")
    found = getattr(answer, name)
    for each in found if isinstance(found, list) else [found]:
        yield from _at(each, rest) if rest else [each]
