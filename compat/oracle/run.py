"""What a scenario is given: a connection that is always there, and a record of what was said.

A scenario waits on conditions (`until`) and never on time, gives its topics names of its own (`name`), and so
is independent of every other one.
"""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from compat.oracle.flatten import Flattener
from compat.oracle.golden import ANSWER, CLOSED, NO_ANSWER, SILENCE, Exchange
from kstream.errors import ProtocolError
from kstream.testing.client import ConnectionClosed, WireClient
from kstream.wire.apis import api
from kstream.wire.codec import decode
from kstream.wire.headers import read_response_header, request_frame, response_header_version
from kstream.wire.messages.api_versions import ApiVersionsRequest, ApiVersionsResponse
from kstream.wire.messages.create_topics import CreatableTopic, CreatableTopicConfig, CreateTopicsRequest
from kstream.wire.messages.describe_cluster import DescribeClusterRequest
from kstream.wire.messages.list_offsets import ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic
from kstream.wire.messages.metadata import MetadataResponse
from kstream.wire.schema import Message

CLIENT_ID = "oracle"
CONNECTION = "Connection"
_CONDITION_TIMEOUT_S = 60.0
_ANSWER_TIMEOUT_S = 30.0
_PROBE_CORRELATION_ID = 0x7FFFFFFE


class ConditionNotMet(AssertionError):
    """A scenario waited for something that did not come."""


class Topic(NamedTuple):
    """A topic that is ready to be used."""

    name: str
    id: bytes


class Run:
    """One run of one scenario against one server."""

    def __init__(self, scenario: str, address: tuple[str, int], *, token: str | None = None) -> None:
        self.scenario = scenario
        self.address = address
        self.token = token or secrets.token_hex(3)
        self.exchanges: list[Exchange] = []
        self._client: WireClient | None = None
        self.cluster_id: str = self.ask(DescribeClusterRequest(), 0).cluster_id
        self.forget_ids()

    def forget_ids(self) -> None:
        """Number ids from 1 again."""
        address = f"{self.address[0]}:{self.address[1]}"
        self.flattener = Flattener(
            f"-{self.token}", cluster_id=self.cluster_id, replaced={address: "<address>"}
        )

    # Talking

    @property
    def client(self) -> WireClient:
        """The connection in use; a new one after the server closed the last."""
        if self._client is None:
            self._client = self.connect()
        return self._client

    def connect(self) -> WireClient:
        """One more connection, for the scenario to close."""
        return WireClient(*self.address, client_id=CLIENT_ID, timeout_s=_ANSWER_TIMEOUT_S)

    def reconnect(self) -> None:
        """Drop the connection; the next request opens another."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def ask(self, request: Message, version: int) -> Any:
        """Ask without recording: for what a scenario needs, not what it is about."""
        return self.client.request(request, version)

    def call(
        self, note: str, request: Message, version: int, *, trim: Callable[[Any], None] | None = None
    ) -> Any:
        """Ask and record. Returns the response, or None where none came.

        `trim` takes out of the response what is not worth recording, or belongs to other scenarios.
        """
        outcome, response = ANSWER, None
        try:
            response = self.client.request(request, version)
        except ConnectionClosed:
            outcome = CLOSED
        except TimeoutError:
            outcome = SILENCE
        if outcome != ANSWER:
            self.reconnect()
        elif trim is not None:
            trim(response)
        self._record(note, request, version, outcome, response)
        return response

    def receive(self, note: str, client: WireClient, request: Message, version: int) -> Any:
        """Wait for the answer to what was sent over a connection of the scenario's own, and record it."""
        response = client.receive()
        self._record(note, request, version, ANSWER, response)
        return response

    def call_without_answer(self, note: str, request: Message, version: int) -> None:
        """Send a request that gets no answer if all is well (acks=0), and see what the server does."""
        client = self.client
        client.send_raw(client.frame(request, version, 1) + _probe())
        outcome = _outcome_after(client)[0]
        self.reconnect()
        self._record(note, request, version, outcome, None)

    def raw(
        self,
        note: str,
        data: bytes,
        *,
        key: int | None = None,
        version: int = 0,
        reads_as: int | None = None,
        probe: bool = False,
        half_close: bool = False,
    ) -> None:
        """Send bytes over a connection of their own and record what comes back.

        `key` and `version` say which API the bytes pretend to be. An answer is read as a response of that API
        in version `reads_as` (default `version`). With `probe` a well-formed request follows, so that silence
        can be told from an answer; with `half_close` our direction ends after the bytes.
        """
        with self.connect() as client:
            client.send_raw(data + (_probe() if probe else b""))
            if half_close:
                client.half_close()
            outcome, frame = _outcome_after(client)
        fields: dict[str, str] = {}
        if outcome == ANSWER:
            fields = self._read_answer(frame, key, version, version if reads_as is None else reads_as)
        name = CONNECTION if key is None else api(key).name
        request = {"bytes": data.hex() if len(data) <= 80 else f"<{len(data)}-bytes>"}
        self.exchanges.append(Exchange(name, version, note, request, outcome, fields))

    def until(self, request: Message, version: int, condition: Callable[[Any], bool]) -> Any:
        """Ask again and again, unrecorded, until the answer satisfies `condition`; returns that answer."""
        deadline_s = time.monotonic() + _CONDITION_TIMEOUT_S
        while True:
            response = self.ask(request, version)
            if condition(response):
                return response
            if time.monotonic() > deadline_s:
                raise ConditionNotMet(f"{self.scenario}: the last answer was {response!r}")

    # Topics

    def name(self, suffix: str) -> str:
        """A topic name that nobody else uses."""
        return f"{self.scenario.replace('_', '-')}-{self.token}-{suffix}"

    def topic(self, suffix: str, *, partitions: int = 1, configs: Mapping[str, str] | None = None) -> Topic:
        """A new topic, once every partition of it is served."""
        name = self.name(suffix)
        wanted = CreatableTopic(
            name=name,
            num_partitions=partitions,
            replication_factor=1,
            configs=[CreatableTopicConfig(name=key, value=value) for key, value in (configs or {}).items()],
        )
        created = self.ask(CreateTopicsRequest(topics=[wanted]), 7).topics[0]
        if created.error_code:
            raise ConditionNotMet(
                f"{name} could not be created: {created.error_code} {created.error_message}"
            )
        self.until_served(name, partitions)
        return Topic(name, created.topic_id)

    def until_served(self, name: str, partitions: int = 1) -> None:
        """Wait until the broker answers for every partition."""
        asked = [ListOffsetsPartition(partition_index=index, timestamp=-2) for index in range(partitions)]
        self.until(
            ListOffsetsRequest(replica_id=-1, topics=[ListOffsetsTopic(name=name, partitions=asked)]),
            1,
            lambda answer: all(
                partition.error_code == 0 for topic in answer.topics for partition in topic.partitions
            ),
        )

    def _record(self, note: str, request: Message, version: int, outcome: str, response: Any) -> None:
        asked = self.flattener.flatten(request, version, only_set=True)
        answer = {} if response is None else self.flattener.flatten(response, version)
        name = api(request.API_KEY).name
        self.exchanges.append(Exchange(name, version, note, asked, outcome, answer))

    def _read_answer(self, frame: bytes, key: int | None, version: int, reads_as: int) -> dict[str, str]:
        if key is not None:
            try:
                _, position = read_response_header(frame, response_header_version(key, version))
                response: Any = decode(api(key).response, frame, reads_as, offset=position)
                _trim_lists(response)
                return self.flattener.flatten(response, reads_as)
            except ProtocolError:
                pass  # Not what was expected: the bytes themselves are the answer.
        return {"bytes": frame[:40].hex(), "size_bytes": str(len(frame))}


def _trim_lists(response: Any) -> None:
    """Out of what garbage was answered with: other scenarios' topics, and the long list of APIs."""
    if isinstance(response, MetadataResponse):
        response.topics = [each for each in response.topics if each.error_code]
    if isinstance(response, ApiVersionsResponse) and not response.error_code:
        response.api_keys = response.api_keys[:1]
        response.supported_features = []
        response.finalized_features = []


def _probe() -> bytes:
    return request_frame(ApiVersionsRequest(), 0, _PROBE_CORRELATION_ID, CLIENT_ID)


def _outcome_after(client: WireClient) -> tuple[str, bytes]:
    try:
        frame = client.receive_frame()
    except ConnectionClosed:
        return CLOSED, b""
    except TimeoutError:
        return SILENCE, b""
    if frame[:4] == _PROBE_CORRELATION_ID.to_bytes(4, "big"):
        return NO_ANSWER, b""
    return ANSWER, frame


# The registry of scenarios

ScenarioFunction = Callable[[Run], None]


class Scenario(NamedTuple):
    """A named function, and the first line of its docstring."""

    name: str
    about: str
    function: ScenarioFunction


SCENARIOS: dict[str, Scenario] = {}


def scenario(function: ScenarioFunction) -> ScenarioFunction:
    """Register a scenario under the name of its function."""
    name = getattr(function, "__name__", "")
    if not re.fullmatch(r"[a-z0-9_]+", name) or name in SCENARIOS:
        raise ValueError(f"scenario name {name!r} is taken or not usable")
    about = (function.__doc__ or "").strip().splitlines()
    SCENARIOS[name] = Scenario(name, about[0] if about else "", function)
    return function


def perform(chosen: Scenario, address: tuple[str, int]) -> tuple[list[Exchange], str]:
    """Run a scenario; returns its exchanges, and what ended it early if anything did."""
    run = Run(chosen.name, address)
    failure = ""
    try:
        chosen.function(run)
    except (
        ConditionNotMet,
        ConnectionClosed,
        TimeoutError,
        AttributeError,
        IndexError,
        ProtocolError,
    ) as error:
        # The other side's fault, not the scenario's: all up to here counts, and the rest is missing.
        failure = f"{type(error).__name__}: {error}"
    finally:
        run.reconnect()
    return run.exchanges, failure
